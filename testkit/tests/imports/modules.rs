//! The modules of a crate, and which file imports from which.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::source::{Import, Source, parse};

/// Reads a file, if it exists.
pub type Read<'r> = &'r dyn Fn(&Path) -> Option<String>;

/// For each file the files that it imports from, with the names that it imports.
pub type Imports = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// The imports between the files of the crate whose root is this file.
pub fn imports(root: &Path, read: Read<'_>) -> Imports {
    let tree = Tree::load(root, read);
    let mut imports = Imports::new();
    for module in 0..tree.modules.len() {
        tree.add_imports(module, &mut imports);
    }
    imports
}

type Id = usize;

/// A bound on re-exports of re-exports. Those that lead to themselves do not compile.
const DEPTH_MAX: usize = 16;

#[derive(Default)]
struct Tree {
    modules: Vec<Module>,
}

struct Module {
    file: PathBuf,
    parent: Option<Id>,
    children: BTreeMap<String, Id>,
    source: Source,
}

/// Where a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    Module(Id),
    ItemOf(Id),
}

impl Tree {
    fn load(root: &Path, read: Read<'_>) -> Self {
        let text = read(root).unwrap_or_else(|| panic!("no file {}", root.display()));
        let folder = root.parent().expect("a folder");
        let mut tree = Self::default();
        tree.add(None, root, folder, parse(&text), read);
        tree
    }

    /// Adds a module and those below it, whose files are in `folder`.
    fn add(
        &mut self,
        parent: Option<Id>,
        file: &Path,
        folder: &Path,
        mut source: Source,
        read: Read<'_>,
    ) -> Id {
        let inline = std::mem::take(&mut source.inline);
        let children = source.children.clone();
        let id = self.modules.len();
        self.modules.push(Module {
            file: file.to_owned(),
            parent,
            children: BTreeMap::new(),
            source,
        });
        for (name, source) in inline {
            let child = self.add(Some(id), file, &folder.join(&name), source, read);
            self.modules[id].children.insert(name, child);
        }
        for name in children {
            let own = folder.join(&name);
            let files = [folder.join(format!("{name}.rs")), own.join("mod.rs")];
            let (file, text) = files
                .iter()
                .find_map(|file| Some((file, read(file)?)))
                .unwrap_or_else(|| panic!("{} declares {name}, which has no file", file.display()));
            let child = self.add(Some(id), file, &own, parse(&text), read);
            self.modules[id].children.insert(name, child);
        }
        id
    }

    fn add_imports(&self, id: Id, imports: &mut Imports) {
        let module = &self.modules[id];
        let uses = module
            .source
            .uses
            .iter()
            .filter(|import| !self.only_shows(id, import));
        let uses = uses.map(|import| (&import.path, import.name.is_none()));
        let paths = module.source.paths.iter().map(|path| (path, false));
        for (path, all) in uses.chain(paths) {
            let from = match self.resolve(id, path, DEPTH_MAX) {
                Some(Goal::ItemOf(other)) => other,
                Some(Goal::Module(other)) if all => other,
                // Of a module that is imported by name, the paths that begin with it count.
                Some(Goal::Module(_)) | None => continue,
            };
            let from = &self.modules[from].file;
            if *from != module.file {
                let names = imports.entry(module.file.clone()).or_default();
                let names = names.entry(from.clone()).or_default();
                names.insert(path.last().cloned().unwrap_or_default());
            }
        }
    }

    /// Whether a `use` line only shows a name of a module below this one to others.
    fn only_shows(&self, id: Id, import: &Import) -> bool {
        let goal = self.resolve(id, &import.path, DEPTH_MAX);
        let Some(Goal::Module(from) | Goal::ItemOf(from)) = goal else {
            return false;
        };
        let is_used = match &import.name {
            Some(name) => self.modules[id].source.words.contains(name),
            None => false,
        };
        import.is_public && !is_used && self.is_below(from, id)
    }

    fn is_below(&self, low: Id, high: Id) -> bool {
        let parents = std::iter::successors(Some(low), |&id| self.modules[id].parent);
        parents.skip(1).any(|id| id == high)
    }

    /// `None` for what other crates define, and for paths that begin with a local item.
    fn resolve(&self, from: Id, path: &[String], depth: usize) -> Option<Goal> {
        let depth = depth.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        let module = &self.modules[from];
        match first.as_str() {
            "crate" => self.descend(0, rest, depth),
            "self" => self.descend(from, rest, depth),
            "super" => {
                let parent = module.parent?;
                match rest.first().map(String::as_str) {
                    Some("super") => self.resolve(parent, rest, depth),
                    _ => self.descend(parent, rest, depth),
                }
            }
            _ if module.children.contains_key(first) => self.descend(from, path, depth),
            _ => {
                let goal = self.alias(from, first, path, depth)?;
                self.follow(goal, rest, depth)
            }
        }
    }

    fn descend(&self, id: Id, path: &[String], depth: usize) -> Option<Goal> {
        let Some((first, rest)) = path.split_first() else {
            return Some(Goal::Module(id));
        };
        if let Some(&child) = self.modules[id].children.get(first) {
            return self.descend(child, rest, depth);
        }
        if self.modules[id].source.items.contains(first) {
            return Some(Goal::ItemOf(id));
        }
        match self.alias(id, first, path, depth) {
            Some(goal) => self.follow(goal, rest, depth),
            // Items that macros define are not seen, so what is not found is taken for one.
            None => Some(Goal::ItemOf(id)),
        }
    }

    fn follow(&self, goal: Goal, rest: &[String], depth: usize) -> Option<Goal> {
        match goal {
            Goal::Module(id) => self.descend(id, rest, depth),
            Goal::ItemOf(id) => Some(Goal::ItemOf(id)),
        }
    }

    /// Where a name leads to that a `use` line of this module brings in.
    fn alias(&self, id: Id, name: &str, path: &[String], depth: usize) -> Option<Goal> {
        let depth = depth.checked_sub(1)?;
        let uses = &self.modules[id].source.uses;
        // `use a::b as a` is resolved from outside of itself.
        let named = uses
            .iter()
            .find(|import| import.name.as_deref() == Some(name) && import.path.as_slice() != path);
        if let Some(import) = named {
            return self.resolve(id, &import.path, depth);
        }
        let globs = uses.iter().filter(|import| import.name.is_none());
        globs
            .filter_map(|import| self.resolve(id, &import.path, depth))
            .find_map(|goal| match goal {
                Goal::Module(module) if module != id => self.named_in(module, name, depth),
                Goal::Module(_) | Goal::ItemOf(_) => None,
            })
    }

    fn named_in(&self, id: Id, name: &str, depth: usize) -> Option<Goal> {
        let module = &self.modules[id];
        if let Some(&child) = module.children.get(name) {
            return Some(Goal::Module(child));
        }
        if module.source.items.contains(name) {
            return Some(Goal::ItemOf(id));
        }
        self.alias(id, name, &[], depth)
    }
}

/// The imports of a crate of these files, each as `file: imported file (names)`.
#[cfg(test)]
fn imports_of(files: &[(&str, &str)]) -> Vec<String> {
    let read = |path: &Path| {
        let own = |(name, _): &&(&str, &str)| Path::new(name) == path;
        files.iter().find(own).map(|(_, text)| (*text).to_owned())
    };
    let imports = imports(Path::new("lib.rs"), &read);
    let lines = imports.iter().flat_map(|(file, from)| {
        from.iter().map(move |(other, names)| {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            format!(
                "{}: {} ({})",
                file.display(),
                other.display(),
                names.join(", ")
            )
        })
    });
    lines.collect()
}

#[test]
fn an_import_leads_to_the_file_that_defines_the_item() {
    let files = [
        ("lib.rs", "mod a; mod b; pub use b::deep::D;"),
        (
            "a.rs",
            "use crate::b::{B, D as E}; use super::D; fn f() { crate::b::deep::g() }",
        ),
        ("b/mod.rs", "pub mod deep; pub use deep::*; pub struct B;"),
        ("b/deep.rs", "pub struct D; pub fn g() {}"),
    ];
    assert_eq!(
        imports_of(&files),
        ["a.rs: b/deep.rs (D, g)", "a.rs: b/mod.rs (B)"]
    );
}

#[test]
fn a_module_that_is_imported_by_name_counts_where_it_is_used() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        (
            "a.rs",
            "use crate::b; use crate::c; use super::b as d; fn f() { b::x(); d::deep::y() }",
        ),
        ("b.rs", "pub mod deep; pub fn x() {}"),
        ("b/deep.rs", "pub fn y() {}"),
        ("c.rs", ""),
    ];
    assert_eq!(
        imports_of(&files),
        ["a.rs: b/deep.rs (y)", "a.rs: b.rs (x)"]
    );
}

#[test]
fn a_parent_that_only_shows_its_children_imports_nothing() {
    let shows = [
        ("lib.rs", "mod a; pub use a::A;"),
        ("a.rs", "pub struct A;"),
    ];
    assert!(imports_of(&shows).is_empty());
    let uses = [("lib.rs", "mod a; pub use a::A; fn f(_: A) {}"), shows[1]];
    assert_eq!(imports_of(&uses), ["lib.rs: a.rs (A)"]);
    let uses = [
        ("lib.rs", "mod a; fn f() { a::g() }"),
        ("a.rs", "pub fn g() {}"),
    ];
    assert_eq!(imports_of(&uses), ["lib.rs: a.rs (g)"]);
}

#[test]
fn other_crates_and_local_names_are_no_imports() {
    let files = [
        ("lib.rs", "mod a; pub struct X;"),
        (
            "a.rs",
            "use std::fmt::{self, Debug}; use serde::x; enum E { F } fn f() { E::F; fmt::g() }",
        ),
    ];
    assert!(imports_of(&files).is_empty());
}

#[test]
fn inline_modules_belong_to_their_file() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "mod inner { use super::super::b::B; use super::A; } struct A;",
        ),
        ("b.rs", "pub struct B;"),
    ];
    assert_eq!(imports_of(&files), ["a.rs: b.rs (B)"]);
}
