//! Who calls, as far as the server knows.
use market::UserId;

use super::apps::AppProof;
use crate::answer::{Code, Failure};

/// Who calls. Endpoints get user ids from here, so that no caller acts for another user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Identities are not checked: the caller is the user that the request names.
    Anyone,
    /// This user, for certain.
    Known(UserId),
    /// Not identified, because the endpoint is about no user.
    Unasked,
    /// An application that reports what users did.
    App(AppProof),
}

impl Caller {
    /// The user that a request is about, which says so itself or leaves it out.
    pub fn user(&self, said: Option<UserId>) -> Result<UserId, Failure> {
        match (self, said) {
            (Caller::Anyone, Some(said)) => Ok(said),
            (Caller::Anyone, None) => Err(Failure::field("userId", "is missing")),
            (Caller::Known(user), None) => Ok(user.clone()),
            (Caller::Known(user), Some(said)) if *user == said => Ok(said),
            (Caller::Known(_), Some(_)) => Err(Code::NotTheCaller.into()),
            (Caller::Unasked | Caller::App(_), _) => Err(Code::IdentityMissing.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_caller_acts_for_no_other_user() {
        let user = |text: &str| UserId::new(text).expect("a user id");
        let of = |caller: Caller, said: Option<&str>| {
            caller.user(said.map(user)).map_err(|failure| failure.code)
        };
        let known = || Caller::Known(user("u"));
        assert_eq!(of(known(), Some("u")), Ok(user("u")));
        assert_eq!(of(known(), None), Ok(user("u")));
        for other in ["U", "ú", "v", "uu"] {
            assert_eq!(of(known(), Some(other)), Err(Code::NotTheCaller), "{other}");
        }
        assert_eq!(of(Caller::Anyone, Some("v")), Ok(user("v")));
        assert_eq!(of(Caller::Anyone, None), Err(Code::IllegalParameter));
        assert_eq!(of(Caller::Unasked, Some("v")), Err(Code::IdentityMissing));
    }
}
