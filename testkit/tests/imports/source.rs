//! What one file of Rust says of modules: which it declares, what it imports, which paths and
//! words it uses, which items it defines. What only tests see is left out.
use std::collections::BTreeSet;

use crate::tokens::{Token, tokens};

/// A module as far as imports go.
#[derive(Debug, Default)]
pub struct Source {
    pub uses: Vec<Import>,
    /// Paths within code, such as `super::open`.
    pub paths: Vec<Vec<String>>,
    /// `mod child;`
    pub children: Vec<String>,
    /// `mod child { ... }`
    pub inline: Vec<(String, Source)>,
    /// The names of the items that are defined here.
    pub items: BTreeSet<String>,
    /// All words outside of `use` lines.
    pub words: BTreeSet<String>,
}

/// One name of a `use` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    pub path: Vec<String>,
    /// Under which name it is known here; `None` for all names of a module (`*`).
    pub name: Option<String>,
    pub is_public: bool,
}

const ITEMS: [&str; 9] = [
    "struct",
    "enum",
    "union",
    "fn",
    "trait",
    "type",
    "const",
    "static",
    "macro_rules",
];
/// Words that an item may begin with, besides those of `ITEMS`.
const BEGINNINGS: [&str; 7] = ["impl", "mod", "use", "async", "unsafe", "extern", "let"];

pub fn parse(text: &str) -> Source {
    let tokens = tokens(text);
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
    };
    parser.module()
}

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
}

impl Parser<'_> {
    /// Reads to the end of the file or of the braces.
    fn module(&mut self) -> Source {
        let mut found = Source::default();
        let mut depth = 0;
        while let Some(token) = self.tokens.get(self.at) {
            match token {
                Token::Sign('#') if self.is_attribute() => self.attribute(),
                Token::Sign('}') if depth == 0 => break,
                Token::Sign(sign) => {
                    depth += match sign {
                        '{' => 1,
                        '}' => -1,
                        _ => 0,
                    };
                    self.at += 1;
                }
                Token::Word(word) => self.word(&word.clone(), &mut found),
            }
        }
        found
    }

    fn word(&mut self, word: &str, found: &mut Source) {
        match word {
            "use" if !self.next_is(1, '<') => self.import(found),
            "mod" if self.next_is(2, ';') || self.next_is(2, '{') => self.child(found),
            _ => {
                let path = self.path();
                found.words.insert(path[0].clone());
                if ITEMS.contains(&word) {
                    found.items.extend(self.defined());
                }
                if path.len() > 1 {
                    found.paths.push(path);
                }
            }
        }
    }

    fn next_is(&self, ahead: usize, sign: char) -> bool {
        self.tokens
            .get(self.at + ahead)
            .is_some_and(|token| token.is(sign))
    }

    /// The words from here on that have `::` between them.
    fn path(&mut self) -> Vec<String> {
        let mut path = Vec::new();
        while let Some(word) = self.tokens.get(self.at).and_then(Token::word) {
            path.push(word.to_owned());
            self.at += 1;
            if !(self.next_is(0, ':') && self.next_is(1, ':')) {
                break;
            }
            self.at += 2;
        }
        path
    }

    /// The name after a word such as `struct`.
    fn defined(&self) -> Option<String> {
        let skipped = usize::from(self.next_is(0, '!'));
        let name = self.tokens.get(self.at + skipped)?.word()?;
        Some(name.to_owned())
    }

    fn child(&mut self, found: &mut Source) {
        let name = self.tokens[self.at + 1].word().expect("a name").to_owned();
        let is_inline = self.next_is(2, '{');
        self.at += 3;
        if is_inline {
            let module = self.module();
            self.at += 1;
            found.inline.push((name, module));
        } else {
            found.children.push(name);
        }
    }

    fn import(&mut self, found: &mut Source) {
        let before = &self.tokens[..self.at];
        let is_public = match before {
            [.., last] if last.is_word("pub") => true,
            [.., public, open, _, close] => public.is_word("pub") && open.is('(') && close.is(')'),
            _ => false,
        };
        self.at += 1;
        let is_external = self.next_is(0, ':');
        let mut imports = Vec::new();
        self.tree(&[], &mut imports);
        if !is_external {
            found
                .uses
                .extend(imports.into_iter().map(|(path, name)| Import {
                    path,
                    name,
                    is_public,
                }));
        }
    }

    /// One tree of a `use` line, as in `a::{b, c as d, e::*}`.
    fn tree(&mut self, prefix: &[String], found: &mut Vec<(Vec<String>, Option<String>)>) {
        let mut path = prefix.to_vec();
        loop {
            match &self.tokens[self.at] {
                Token::Word(word) if word == "as" => {
                    let name = self.tokens[self.at + 1].word().map(str::to_owned);
                    self.at += 2;
                    return found.push((path, name));
                }
                Token::Word(word) => {
                    path.push(word.clone());
                    self.at += 1;
                }
                Token::Sign(':') => self.at += 1,
                Token::Sign('*') => {
                    self.at += 1;
                    return found.push((path, None));
                }
                Token::Sign('{') => return self.group(&path, found),
                Token::Sign(_) => {
                    // `a::{self}` is `a`.
                    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                        path.pop();
                    }
                    let name = path.last().cloned();
                    return found.push((path, name));
                }
            }
        }
    }

    fn group(&mut self, prefix: &[String], found: &mut Vec<(Vec<String>, Option<String>)>) {
        self.at += 1;
        while !self.next_is(0, '}') {
            self.tree(prefix, found);
            if self.next_is(0, ',') {
                self.at += 1;
            }
        }
        self.at += 1;
    }

    fn is_attribute(&self) -> bool {
        self.next_is(1, '[') || (self.next_is(1, '!') && self.next_is(2, '['))
    }

    /// Skips an attribute, and what it stands before if only tests see that.
    fn attribute(&mut self) {
        let start = self.at;
        while !self.next_is(0, '[') {
            self.at += 1;
        }
        self.skip_brackets();
        let words: Vec<_> = self.tokens[start..self.at]
            .iter()
            .filter_map(Token::word)
            .collect();
        let is_for_tests = words[0] == "cfg" && words.contains(&"test") && !words.contains(&"not");
        if is_for_tests {
            self.skip_item();
        }
    }

    /// From an opening bracket to behind the closing one.
    fn skip_brackets(&mut self) {
        let mut depth = 0;
        loop {
            match self.tokens[self.at] {
                Token::Sign('[' | '(' | '{') => depth += 1,
                Token::Sign(']' | ')' | '}') => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    /// An item, a field or a variant, with its further attributes.
    fn skip_item(&mut self) {
        while self.next_is(0, '#') && self.is_attribute() {
            self.at += 1;
            self.skip_brackets();
        }
        if self.tokens[self.at].is_word("pub") {
            self.at += 1;
            if self.next_is(0, '(') {
                self.skip_brackets();
            }
        }
        let first = self.tokens[self.at].word().unwrap_or("").to_owned();
        let is_item = ITEMS.contains(&first.as_str()) || BEGINNINGS.contains(&first.as_str());
        while let Some(token) = self.tokens.get(self.at) {
            match token {
                Token::Sign(';') => {
                    self.at += 1;
                    return;
                }
                Token::Sign(',') if !is_item => {
                    self.at += 1;
                    return;
                }
                Token::Sign(']' | ')' | '}') => return,
                Token::Sign('{') => {
                    self.skip_brackets();
                    if first != "use" {
                        return;
                    }
                }
                Token::Sign('[' | '(') => self.skip_brackets(),
                Token::Sign(_) | Token::Word(_) => self.at += 1,
            }
        }
    }
}

#[cfg(test)]
fn paths_of(source: &Source) -> Vec<String> {
    source
        .uses
        .iter()
        .map(|import| import.path.join("::"))
        .collect()
}

#[test]
fn use_lines_become_paths() {
    let source = parse(
        "use crate::a::{self, b, c::{D, E as F}, g::*}; pub(crate) use super::h; pub use i::j;
         use ::external; fn f() -> impl Fn() + use<'_> { use self::k; }",
    );
    let expected = [
        "crate::a",
        "crate::a::b",
        "crate::a::c::D",
        "crate::a::c::E",
        "crate::a::g",
        "super::h",
        "i::j",
        "self::k",
    ];
    assert_eq!(paths_of(&source), expected);
    let names: Vec<_> = source
        .uses
        .iter()
        .map(|import| import.name.as_deref())
        .collect();
    let expected =
        ["a", "b", "D", "F", "*", "h", "j", "k"].map(|name| (name != "*").then_some(name));
    assert_eq!(names, expected);
    let public: Vec<_> = source.uses.iter().map(|import| import.is_public).collect();
    assert_eq!(
        public,
        [false, false, false, false, false, true, true, false]
    );
}

#[test]
fn code_has_paths_children_and_items() {
    let source = parse(
        "mod a; pub mod b { use super::X; fn y() {} } struct Z { field: a::T }
         fn w() -> crate::q::R { super::s::<u8>(); a::t(); } macro_rules! m { () => {} }",
    );
    assert_eq!(source.children, ["a"]);
    assert_eq!(source.inline[0].0, "b");
    assert_eq!(paths_of(&source.inline[0].1), ["super::X"]);
    let paths: Vec<_> = source.paths.iter().map(|path| path.join("::")).collect();
    assert_eq!(paths, ["a::T", "crate::q::R", "super::s", "a::t"]);
    assert_eq!(source.items, ["Z", "m", "w"].map(str::to_owned).into());
}

#[test]
fn what_only_tests_see_is_left_out() {
    let source = parse(
        "#![cfg_attr(test, allow(x))] #[cfg(test)] mod tests;
         #[cfg(test)] #[allow(x)] mod more { use crate::a; }
         #[cfg(any(test, fuzzing))] pub(crate) use crate::{b, c}; #[cfg(not(test))] use crate::d;
         #[cfg(test)] fn e<A, B>() -> [u8; 2] where A: B, { crate::f() }
         struct G { #[cfg(test)] pub h: crate::H, i: crate::I }
         #[cfg(test)] const J: crate::K = crate::K::L; #[cfg(unix)] use crate::m;",
    );
    assert_eq!(paths_of(&source), ["crate::d", "crate::m"]);
    let paths: Vec<_> = source.paths.iter().map(|path| path.join("::")).collect();
    assert_eq!(paths, ["crate::I"]);
    assert!(source.children.is_empty() && source.inline.is_empty());
}
