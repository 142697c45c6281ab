//! Values of arguments. Each parser states what it expects in its own words, whatever the error of
//! the parser beneath it.
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use market::ids::InvalidId;
use market::{RequestId, UserId};

/// The maximum of units of a prize: the sum over all shards stays far below 63 bits.
const UNITS_MAX: u64 = 1_000_000_000_000;

/// Units of a prize.
pub(super) fn units(text: &str) -> Result<u64, String> {
    let number = text
        .parse()
        .ok()
        .filter(|units| (1..=UNITS_MAX).contains(units));
    number.ok_or_else(|| format!("expected an integer from 1 to {UNITS_MAX}"))
}

/// A user id.
pub(super) fn user(text: &str) -> Result<UserId, String> {
    UserId::new(text).map_err(|error| format!("a user id {error}"))
}

/// A request id.
pub(super) fn request(text: &str) -> Result<RequestId, InvalidId> {
    RequestId::new(text)
}

/// Arguments that have defaults, for a command that can do without them: `Some` when one of them is
/// given. (An `Option` of arguments that flatten further ones is always `None`: clap does not see
/// those.)
#[derive(Debug)]
pub(super) struct IfGiven<T>(pub(super) Option<T>);

impl<T: Args> Args for IfGiven<T> {
    fn augment_args(command: Command) -> Command {
        T::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        T::augment_args_for_update(command)
    }
}

impl<T: Args> FromArgMatches for IfGiven<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let own = T::augment_args(Command::new("own"));
        let is_given = own.get_arguments().any(|own| {
            matches.value_source(own.get_id().as_str()) == Some(ValueSource::CommandLine)
        });
        Ok(Self(
            is_given.then(|| T::from_arg_matches(matches)).transpose()?,
        ))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Args)]
    struct Inner {
        #[arg(long, default_value = "here")]
        place: String,
    }

    #[derive(Debug, Args)]
    struct Outer {
        #[command(flatten)]
        inner: Inner,
        #[arg(long, default_value = "mine")]
        token: String,
    }

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        outer: IfGiven<Outer>,
    }

    #[test]
    fn one_of_the_arguments_is_enough_and_the_others_have_their_defaults() {
        let given = |words: &[&str]| {
            let words = ["program"].iter().chain(words);
            Line::parse_from(words)
                .outer
                .0
                .map(|outer| (outer.inner.place, outer.token))
        };
        let pair = |place: &str, token: &str| Some((place.to_owned(), token.to_owned()));
        assert_eq!(given(&[]), None);
        assert_eq!(given(&["--place", "there"]), pair("there", "mine"));
        assert_eq!(given(&["--token", "mine"]), pair("here", "mine"));
    }

    #[test]
    fn units_are_integers_within_bounds() {
        assert_eq!(
            (units("1").as_ref(), units("1000000000000").as_ref()),
            (Ok(&1), Ok(&1_000_000_000_000))
        );
        for bad in [
            "",
            "0",
            "-1",
            "1.5",
            "x",
            "1000000000001",
            "99999999999999999999",
        ] {
            assert!(units(bad).is_err(), "{bad}");
        }
    }
}
