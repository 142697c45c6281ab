//! Which switches there are.
use std::fmt;
use std::str::FromStr;

macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident = $row:expr;)*) => {
        /// What can be switched.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Switch { $($(#[$doc])* $name),* }

        impl Switch {
            /// All switches.
            pub const ALL: [Switch; [$(stringify!($name)),*].len()] = [$(Switch::$name),*];

            const fn row(self) -> Row {
                match self { $(Switch::$name => $row),* }
            }
        }
    };
}

struct Row {
    name: &'static str,
    is_normally_on: bool,
    restricts_when_on: bool,
}

switches! {
    /// Whether draws are made.
    Draw = Row { name: "draw", is_normally_on: true, restricts_when_on: false };
    /// Whether all users get the luck award, without asking the stock.
    FallbackOnly = Row { name: "fallback_only", is_normally_on: false, restricts_when_on: true };
    /// Whether only reads are served.
    ReadOnly = Row { name: "read_only", is_normally_on: false, restricts_when_on: true };
    /// Whether users may sign in.
    Signin = Row { name: "signin", is_normally_on: true, restricts_when_on: false };
    /// Whether points may be exchanged for chances.
    Exchange = Row { name: "exchange", is_normally_on: true, restricts_when_on: false };
    /// Whether applications may report what users did, for rewards.
    Rewards = Row { name: "rewards", is_normally_on: true, restricts_when_on: false };
    /// Whether rate limits apply.
    Limits = Row { name: "limits", is_normally_on: true, restricts_when_on: true };
}

/// There is no switch with this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no switch {0:?}; there are {names}", names = Switch::names("and"))]
pub struct UnknownSwitch(String);

impl Switch {
    /// Its name in commands and in the store.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Whether it is on while it is not set.
    pub const fn is_normally_on(self) -> bool {
        self.row().is_normally_on
    }

    /// Whether players may do less while it is on. Of two settings the stricter one holds.
    pub const fn restricts_when_on(self) -> bool {
        self.row().restricts_when_on
    }

    /// All names, with this word before the last one.
    pub fn names(word: &str) -> String {
        let names = Self::ALL.map(Self::name);
        let (last, others) = names.split_last().expect("there are switches");
        format!("{} {word} {last}", others.join(", "))
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Switch {
    type Err = UnknownSwitch;

    fn from_str(name: &str) -> Result<Self, UnknownSwitch> {
        Self::ALL
            .into_iter()
            .find(|switch| switch.name() == name)
            .ok_or_else(|| UnknownSwitch(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/switches.md");

    #[test]
    fn the_documented_table_is_this_one() {
        for switch in Switch::ALL {
            let quoted = format!("`{switch}`");
            let row = PAGE
                .lines()
                .filter_map(|line| line.strip_prefix("| `")?.split_once(" | "))
                .find(|(names, _)| format!("`{names}").split(", ").any(|name| name == quoted));
            let (_, row) = row.unwrap_or_else(|| panic!("docs/switches.md lacks {quoted}"));
            let normally = if switch.is_normally_on() {
                "on |"
            } else {
                "off |"
            };
            assert!(row.starts_with(normally), "{quoted} is normally {normally}");
        }
    }

    #[test]
    fn the_page_says_which_setting_is_the_stricter_one() {
        let (_, stricter) = PAGE
            .split_once("for each user: off for ")
            .expect("the rule");
        let (off, on) = stricter.split_once(", on for ").expect("both sides");
        let on = on.split('.').next().expect("a sentence");
        for switch in Switch::ALL {
            let side = if switch.restricts_when_on() { on } else { off };
            assert!(
                side.contains(&format!("`{switch}`")),
                "{switch}: {stricter}"
            );
        }
    }
}
