//! Tokens of people and roles, and the files that they come from.
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn headers(text: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, text.parse().expect("a header"))])
}

fn bearer(token: &str) -> HeaderMap {
    headers(&format!("Bearer {token}"))
}

fn write(path: &Path, token: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(path, token).expect("written");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("a mode");
}

/// A folder with alice, an operator, and bob, a viewer.
fn folder() -> (tempfile::TempDir, AdminConfig) {
    let folder = tempfile::tempdir().expect("a folder");
    write(
        &folder.path().join("operators/alice"),
        "the-secret-of-alice\n",
    );
    write(&folder.path().join("viewers/bob"), "the-secret-of-bob-1");
    let config = AdminConfig {
        tokens_dir: Some(folder.path().to_owned()),
        ..AdminConfig::default()
    };
    (folder, config)
}

fn name_and_role(store: &TokenStore, token: &str) -> Result<(String, Role), Unauthenticated> {
    store
        .caller(&bearer(token))
        .map(|caller| (caller.name, caller.role))
}

#[test]
fn a_token_says_who_calls_and_nothing_else_does() {
    let (folder, config) = folder();
    write(
        &folder.path().join("elsewhere"),
        "the-secret-of-all-operators",
    );
    let shared = Some(folder.path().join("elsewhere"));
    let config = AdminConfig {
        token_file: shared,
        tokens_dir: config.tokens_dir.clone(),
        ..config
    };
    // A file in the folder itself belongs to no role.
    let error = TokenStore::open(&config, None).err().expect("a stray file");
    assert!(
        error.contains("elsewhere") && error.contains("operators/NAME"),
        "{error}"
    );
    std::fs::rename(
        folder.path().join("elsewhere"),
        folder.path().join(".elsewhere"),
    )
    .expect("renamed");
    let config = AdminConfig {
        token_file: Some(folder.path().join(".elsewhere")),
        ..config
    };
    let store = TokenStore::open(&config, None).expect("tokens");
    assert_eq!(
        name_and_role(&store, "the-secret-of-alice"),
        Ok(("alice".to_owned(), Role::Operator))
    );
    assert_eq!(
        name_and_role(&store, "the-secret-of-bob-1"),
        Ok(("bob".to_owned(), Role::Viewer))
    );
    assert_eq!(
        name_and_role(&store, "the-secret-of-all-operators"),
        Ok(("operator".to_owned(), Role::Operator))
    );
    for wrong in [
        "the-secret-of-alic",
        "the-secret-of-alice1",
        "",
        " the-secret-of-alice",
    ] {
        assert_eq!(
            store.caller(&bearer(wrong)),
            Err(Unauthenticated::Unknown),
            "{wrong}"
        );
    }
    let any_case = store.caller(&headers("bEARER the-secret-of-alice"));
    assert_eq!(any_case.map(|caller| caller.name), Ok("alice".to_owned()));
    assert_eq!(
        store.caller(&headers("the-secret-of-alice")),
        Err(Unauthenticated::Unknown)
    );
    assert_eq!(
        store.caller(&headers("Basic x")),
        Err(Unauthenticated::Unknown)
    );
    assert_eq!(
        store.caller(&HeaderMap::new()),
        Err(Unauthenticated::Missing)
    );
}

#[test]
fn a_person_is_noted_by_the_token_whatever_is_said() {
    let caller = |name: &str, is_person| AdminCaller {
        name: name.to_owned(),
        role: Role::Operator,
        is_person,
    };
    let alice = caller("alice", true);
    assert_eq!(alice.who(None), "alice");
    assert_eq!(alice.who(Some(" alice ")), "alice");
    assert_eq!(alice.who(Some("bob")), r#"alice (as "bob")"#);
    assert_eq!(alice.who(Some(&"b".repeat(500))).chars().count(), 128);
    let shared = caller("operator", false);
    assert_eq!(
        (shared.who(None), shared.who(Some("bob"))),
        ("operator".to_owned(), "bob".to_owned())
    );
}

#[test]
fn a_token_is_replaced_while_the_old_one_still_works() {
    let (folder, config) = folder();
    let store = TokenStore::open(&config, None).expect("tokens");
    assert_eq!(store.reload(&config), Ok(false));
    write(
        &folder.path().join("operators/alice.2026"),
        "the-next-secret-of-alice",
    );
    assert_eq!(store.reload(&config), Ok(true));
    for token in ["the-secret-of-alice", "the-next-secret-of-alice"] {
        assert_eq!(
            name_and_role(&store, token),
            Ok(("alice".to_owned(), Role::Operator))
        );
    }
    std::fs::remove_file(folder.path().join("operators/alice")).expect("removed");
    assert_eq!(store.reload(&config), Ok(true));
    assert!(name_and_role(&store, "the-secret-of-alice").is_err());
    assert!(name_and_role(&store, "the-next-secret-of-alice").is_ok());
}

#[test]
fn a_folder_with_a_fault_changes_nothing() {
    let (folder, config) = folder();
    let store = TokenStore::open(&config, None).expect("tokens");
    let open_to_all = folder.path().join("viewers/carol");
    write(&open_to_all, "the-secret-of-carol");
    std::fs::set_permissions(&open_to_all, PermissionsExt::from_mode(0o644)).expect("a mode");
    let error = store.reload(&config).expect_err("readable by all");
    assert!(
        error.contains("mode 0644") && error.contains("chmod 600") && error.contains("carol"),
        "{error}"
    );
    std::fs::remove_file(&open_to_all).expect("removed");
    for (file, token, part) in [
        ("viewers/dave", "short", "at least 16"),
        ("viewers/dave", "the-secret-of-alice", "the same token"),
        ("viewers/d ave", "the-secret-of-dave-1", "expected a name"),
        ("viewers/dave", &"x".repeat(5_000), "more than 4096 bytes"),
    ] {
        write(&folder.path().join(file), token);
        let error = store.reload(&config).expect_err(part);
        assert!(
            error.contains(part) && !error.contains("the-secret"),
            "{error}"
        );
        std::fs::remove_file(folder.path().join(file)).expect("removed");
    }
    assert!(name_and_role(&store, "the-secret-of-alice").is_ok());
}

#[test]
fn folders_as_kubernetes_mounts_them_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let mounted = folder.path().join("..2026_11_30");
    write(&mounted.join("operators/alice"), "the-secret-of-alice");
    std::fs::set_permissions(
        mounted.join("operators/alice"),
        PermissionsExt::from_mode(0o440),
    )
    .expect("a mode");
    symlink("..2026_11_30", folder.path().join("..data")).expect("a link");
    symlink("..data/operators", folder.path().join("operators")).expect("a link");
    let config = AdminConfig {
        tokens_dir: Some(folder.path().to_owned()),
        ..AdminConfig::default()
    };
    let store = TokenStore::open(&config, None).expect("tokens");
    assert!(name_and_role(&store, "the-secret-of-alice").is_ok());
}

#[test]
fn a_server_has_a_token_of_its_own_unless_people_have_theirs() {
    let (folder, config) = folder();
    let own = folder.path().join(".admin-token");
    TokenStore::open(&config, Some(own.clone())).expect("tokens");
    assert!(!own.exists());
    let store = TokenStore::open(&AdminConfig::default(), Some(own.clone())).expect("tokens");
    let made = AdminToken::read(&own).expect("made");
    assert_eq!(
        name_and_role(&store, made.secret()),
        Ok(("operator".to_owned(), Role::Operator))
    );
}

#[test]
fn a_token_file_is_made_once_for_its_owner_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("admin-token");
    let made = AdminToken::read_or_make(&path).expect("made");
    let read = AdminToken::read_or_make(&path).expect("read");
    assert_eq!(made.secret(), read.secret());
    assert_eq!(
        std::fs::metadata(&path)
            .expect("there")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    std::fs::remove_file(&path).expect("removed");
    // What a start that was killed leaves.
    std::fs::write(path.with_extension("new"), "").expect("written");
    let again = AdminToken::read_or_make(&path).expect("made again");
    assert_ne!(again.secret(), made.secret());
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        1
    );
    std::fs::write(&path, "short").expect("written");
    assert!(AdminToken::read(&path).is_err());
    assert!(!format!("{made:?}").contains(made.secret()));
}
