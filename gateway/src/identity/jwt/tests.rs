use hyper::header::HeaderValue;
use serde_json::json;
use tempfile::TempDir;

use self::token::{SECRET, Signer};
use super::super::keys::SigningAlgorithm;
use super::super::{Identity, IdentityOptions};
use super::*;
use crate::answer::Failure;
use crate::edge::Peer;
use crate::identity::Caller;

#[path = "../../../tests/e2e/support/token.rs"]
mod token;

/// Some time in 2025.
const NOW_S: i64 = 1_750_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn claims(user: &str) -> Value {
    json!({"sub": user, "exp": NOW_S + 600})
}

fn bearer(token: &str) -> HeaderMap {
    HeaderMap::from_iter([(
        AUTHORIZATION,
        HeaderValue::from_str(&format!("Bearer {token}")).expect("a header"),
    )])
}

/// Keys in a folder that goes with them.
struct Place(TempDir);

impl Place {
    fn with(keys: &str) -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        place.write(keys);
        place
    }

    fn write(&self, keys: &str) {
        std::fs::write(self.0.path().join("keys"), keys).expect("written");
    }

    fn file(&self, signing: SigningAlgorithm) -> JwtOptions {
        options(KeySource::File {
            path: self.0.path().join("keys"),
            signing,
        })
    }

    fn set(&self) -> JwtOptions {
        options(KeySource::Set {
            path: self.0.path().join("keys"),
        })
    }
}

fn options(source: KeySource) -> JwtOptions {
    JwtOptions {
        source,
        expected: ExpectedClaims::default(),
        user_claim: "sub".to_owned(),
        clock_skew: SignedDuration::from_secs(30),
        tokens_cached_max: 100,
    }
}

fn key_set(keys: &[Value]) -> String {
    json!({"keys": keys}).to_string()
}

fn user_at(jwt: &Jwt, token: &str, second: i64) -> Result<String, Code> {
    jwt.user(&bearer(token), at(second))
        .map(|user| user.as_str().to_owned())
}

fn user(jwt: &Jwt, token: &str) -> Result<String, Code> {
    user_at(jwt, token, NOW_S)
}

#[test]
fn each_algorithm_is_checked_with_its_key() {
    let secret =
        Jwt::new(Place::with(&format!("{SECRET}\n")).file(SigningAlgorithm::Hs256)).expect("keys");
    let rsa = Place::with(include_str!("../../../tests/keys/rsa.pem"));
    let rsa = Jwt::new(rsa.file(SigningAlgorithm::Rs256)).expect("keys");
    let ed25519 = Place::with(include_str!("../../../tests/keys/ed25519.pem"));
    let ed25519 = Jwt::new(ed25519.file(SigningAlgorithm::EdDsa)).expect("keys");
    let signers = [Signer::secret(), Signer::rsa(), Signer::ed25519()];
    for (place, jwt) in [secret, rsa, ed25519].iter().enumerate() {
        for (other, signer) in signers.iter().enumerate() {
            let expected = if place == other {
                Ok("ú".to_owned())
            } else {
                Err(Code::IdentityInvalid)
            };
            assert_eq!(
                user(jwt, &signer.mint(&claims("ú"))),
                expected,
                "{place} {other}"
            );
        }
    }
}

#[test]
fn a_token_is_good_from_nbf_to_exp_give_or_take_the_skew() {
    let jwt = Jwt::new(Place::with(SECRET).file(SigningAlgorithm::Hs256)).expect("keys");
    let token = Signer::secret().mint(&json!({"sub": "u", "nbf": NOW_S, "exp": NOW_S + 100}));
    // The first call keeps the token: times are compared all the same.
    for (second, expected) in [
        (NOW_S - 30, Ok("u".to_owned())),
        (NOW_S - 31, Err(Code::IdentityInvalid)),
        (NOW_S + 129, Ok("u".to_owned())),
        (NOW_S + 130, Err(Code::TokenExpired)),
        (NOW_S + 10_000_000, Err(Code::TokenExpired)),
    ] {
        assert_eq!(
            user_at(&jwt, &token, second),
            expected,
            "{}",
            second - NOW_S
        );
    }
    let fraction = Signer::secret().mint(&json!({"sub": "u", "exp": 1_750_000_000.5}));
    assert_eq!(user_at(&jwt, &fraction, NOW_S + 30), Ok("u".to_owned()));
    assert_eq!(
        user_at(&jwt, &fraction, NOW_S + 31),
        Err(Code::TokenExpired)
    );
}

#[test]
fn claims_that_are_missing_or_wrong_are_refused() {
    let place = Place::with(SECRET);
    let expected = ExpectedClaims {
        audience: Some("game".to_owned()),
        issuer: Some("us".to_owned()),
    };
    let strict = Jwt::new(JwtOptions {
        expected,
        ..place.file(SigningAlgorithm::Hs256)
    })
    .expect("keys");
    let lax = Jwt::new(place.file(SigningAlgorithm::Hs256)).expect("keys");
    let good = json!({"sub": "u", "exp": NOW_S + 1, "aud": ["shop", "game"], "iss": "us"});
    assert_eq!(
        user(&strict, &Signer::secret().mint(&good)),
        Ok("u".to_owned())
    );
    let with = |claim: &str, value: Value| {
        let mut claims = good.clone();
        claims[claim] = value;
        claims
    };
    for (claim, value) in [
        ("aud", json!("shop")),
        ("aud", json!(["shop"])),
        ("aud", json!([])),
        ("aud", json!(7)),
        ("aud", Value::Null),
        ("iss", json!("them")),
        ("iss", Value::Null),
        ("exp", Value::Null),
        ("exp", json!("1760000000")),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("nbf", json!("1750000000")),
        ("nbf", Value::Null),
        ("sub", Value::Null),
        ("sub", json!("")),
        ("sub", json!(" u")),
        ("sub", json!("a\nb")),
        ("sub", json!(true)),
        ("sub", json!(1.5)),
        ("sub", json!("u".repeat(129))),
    ] {
        let token = Signer::secret().mint(&with(claim, value.clone()));
        assert_eq!(
            user(&strict, &token),
            Err(Code::IdentityInvalid),
            "{claim} {value}"
        );
    }
    // A token for another audience is not for a server that has no name.
    assert_eq!(
        user(&lax, &Signer::secret().mint(&good)),
        Err(Code::IdentityInvalid)
    );
    assert_eq!(
        user(
            &lax,
            &Signer::secret().mint(&json!({"sub": 7, "exp": NOW_S}))
        ),
        Ok("7".to_owned())
    );
}

#[test]
fn the_user_may_stand_in_another_claim() {
    let place = Place::with(SECRET);
    let jwt = Jwt::new(JwtOptions {
        user_claim: "openId".to_owned(),
        ..place.file(SigningAlgorithm::Hs256)
    })
    .expect("keys");
    let token = |claims: Value| Signer::secret().mint(&claims);
    assert_eq!(
        user(
            &jwt,
            &token(json!({"openId": "o", "sub": "s", "exp": NOW_S}))
        ),
        Ok("o".to_owned())
    );
    assert_eq!(user(&jwt, &token(claims("s"))), Err(Code::IdentityInvalid));
}

#[test]
fn a_token_does_not_choose_how_it_is_checked() {
    let pem = include_str!("../../../tests/keys/rsa.pem");
    let (rsa, ed25519) = (Signer::rsa(), Signer::ed25519());
    let place = Place::with(&key_set(&[
        rsa.jwk("r"),
        ed25519.jwk("e"),
        Signer::secret().jwk("s"),
    ]));
    let jwt = Jwt::new(place.set()).expect("keys");
    let claims = claims("u");
    for (signer, kid) in [(&rsa, "r"), (&ed25519, "e"), (&Signer::secret(), "s")] {
        assert_eq!(
            user(&jwt, &signer.mint_as(kid, &claims)),
            Ok("u".to_owned()),
            "{kid}"
        );
    }
    let Signer::Ed25519(pair) = &ed25519 else {
        panic!("a pair of keys")
    };
    let public = ring::signature::KeyPair::public_key(pair).as_ref().to_vec();
    for (case, token) in [
        ("no kid", rsa.mint(&claims)),
        ("an unknown kid", rsa.mint_as("x", &claims)),
        ("another key's kid", ed25519.mint_as("r", &claims)),
        ("a stranger", Signer::stranger().mint_as("e", &claims)),
        (
            "the public key as a secret",
            Signer::Secret(pem.into()).mint_as("r", &claims),
        ),
        (
            "the public key's bytes as a secret",
            Signer::Secret(public).mint_as("e", &claims),
        ),
        ("alg none", Signer::Unsigned.mint_as("r", &claims)),
        (
            "no signature",
            Signer::Unsigned.mint_under(&json!({"alg": "RS256", "kid": "r"}), &claims),
        ),
        (
            "no signature under HS256",
            Signer::Unsigned.mint_under(&json!({"alg": "HS256", "kid": "s"}), &claims),
        ),
        (
            "another algorithm of RSA",
            rsa.mint_under(&json!({"alg": "RS512", "kid": "r"}), &claims),
        ),
        (
            "an unknown crit",
            rsa.mint_under(
                &json!({"alg": "RS256", "kid": "r", "crit": ["x"], "x": 1}),
                &claims,
            ),
        ),
        (
            "an empty crit",
            rsa.mint_under(&json!({"alg": "RS256", "kid": "r", "crit": []}), &claims),
        ),
        ("a key of its own", {
            let stranger = Signer::stranger();
            stranger.mint_under(&json!({"alg": "EdDSA", "jwk": stranger.jwk("r")}), &claims)
        }),
    ] {
        assert_eq!(user(&jwt, &token), Err(Code::IdentityInvalid), "{case}");
    }
}

#[test]
fn a_token_stands_after_bearer_or_alone() {
    let jwt = Jwt::new(Place::with(SECRET).file(SigningAlgorithm::Hs256)).expect("keys");
    let token = Signer::secret().mint(&claims("u"));
    let ask = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                AUTHORIZATION,
                HeaderValue::from_bytes(value.as_bytes()).expect("a header"),
            );
        }
        jwt.user(&headers, at(NOW_S))
            .map(|user| user.as_str().to_owned())
    };
    for good in [
        token.clone(),
        format!("Bearer {token}"),
        format!("bEARER  {token}"),
    ] {
        assert_eq!(ask(&[&good]), Ok("u".to_owned()), "{good}");
    }
    assert_eq!(ask(&[]), Err(Code::IdentityMissing));
    assert_eq!(ask(&[""]), Err(Code::IdentityMissing));
    let long = "x".repeat(TOKEN_BYTES_MAX + 1);
    for bad in [
        &format!("Basic {token}"),
        "Bearer",
        "Bearer ú",
        "garbage",
        "a.b.c",
        "..",
        &long,
        &format!("{token}x"),
    ] {
        assert_eq!(ask(&[bad]), Err(Code::IdentityInvalid), "{bad}");
    }
    assert_eq!(ask(&[&token, &token]), Err(Code::IdentityInvalid));
}

#[test]
fn keys_are_rotated_by_a_reload_and_the_last_good_ones_stay() {
    let (old, new) = (Signer::ed25519(), Signer::stranger());
    let place = Place::with(&key_set(&[old.jwk("1")]));
    let identity = Identity::new(&IdentityOptions::Jwt(Box::new(place.set()))).expect("keys");
    let ask = |signer: &Signer, kid| {
        let peer = Peer([127, 0, 0, 1].into());
        let caller = identity.caller(peer, &bearer(&signer.mint_as(kid, &claims("u"))), at(NOW_S));
        caller.map_err(|failure: Failure| failure.code)
    };
    let known = Ok(Caller::Known(UserId::new("u").expect("a user id")));
    assert_eq!(
        (ask(&old, "1"), ask(&new, "2")),
        (known.clone(), Err(Code::IdentityInvalid))
    );
    place.write(&key_set(&[old.jwk("1"), new.jwk("2")]));
    assert_eq!(
        ask(&new, "2"),
        Err(Code::IdentityInvalid),
        "nothing is read before a reload"
    );
    identity.reload().expect("new keys");
    assert_eq!(
        (ask(&old, "1"), ask(&new, "2")),
        (known.clone(), known.clone())
    );
    // The old key's token was verified and kept: it must go with its key.
    place.write(&key_set(&[new.jwk("2")]));
    identity.reload().expect("new keys");
    assert_eq!(
        (ask(&old, "1"), ask(&new, "2")),
        (Err(Code::IdentityInvalid), known.clone())
    );
    for broken in ["", "{}", "{\"keys\":[]}"] {
        place.write(broken);
        identity.reload().expect_err(broken);
        assert_eq!(ask(&new, "2"), known.clone(), "{broken}");
    }
    Identity::Open.reload().expect("there is nothing to read");
}

#[test]
fn key_sets_with_faults_are_refused_without_quoting_them() {
    let elliptic = json!({"kty": "EC", "kid": "c", "crv": "P-256", "x": "AA", "y": "AA"});
    let mut encrypts = Signer::rsa().jwk("enc");
    encrypts["use"] = json!("enc");
    let good = Signer::ed25519().jwk("e");
    let mixed = key_set(&[elliptic.clone(), encrypts.clone(), good.clone()]);
    let jwt = Jwt::new(Place::with(&mixed).set()).expect("keys");
    assert_eq!(
        jwt.ring.load().keys.count(),
        1,
        "keys of other kinds are left out"
    );
    let with = |field: &str, value: Value| {
        let mut key = Signer::secret().jwk("s");
        key[field] = value;
        key
    };
    for (case, keys, part) in [
        ("no set", "\"hush-hush\"".to_owned(), "line 1"),
        (
            "a key without kid",
            key_set(&[good.clone(), with("kid", Value::Null)]),
            "key 2: has no kid",
        ),
        (
            "a kid twice",
            key_set(&[good.clone(), good.clone()]),
            "key 2: has the kid of another",
        ),
        (
            "a short secret",
            key_set(&[with("k", json!("aHVzaC1odXNo"))]),
            "key 1: the secret has 9 bytes",
        ),
        (
            "a broken secret",
            key_set(&[with("k", json!("hush-hush!"))]),
            "key 1: is broken",
        ),
        (
            "others only",
            key_set(&[elliptic, encrypts]),
            "has no key for signatures",
        ),
        (
            "a secret for HS512",
            key_set(&[with("alg", json!("HS512"))]),
            "has no key for signatures",
        ),
        (
            "a huge file",
            " ".repeat(1024 * 1024 + 1),
            "is larger than 1 MiB",
        ),
    ] {
        let message = Jwt::new(Place::with(&keys).set())
            .err()
            .unwrap_or_else(|| panic!("{case} is taken"));
        assert!(
            message.contains(part) && !message.contains("hush"),
            "{case}: {message}"
        );
    }
}
