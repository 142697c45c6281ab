//! Rust source as words and signs, without comments, strings, numbers and lifetimes.

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    Word(String),
    Sign(char),
}

impl Token {
    pub fn is(&self, sign: char) -> bool {
        *self == Self::Sign(sign)
    }

    pub fn is_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    pub fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            Self::Sign(_) => None,
        }
    }
}

pub fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        at = match (chars[at], chars.get(at + 1).copied().unwrap_or(' ')) {
            ('/', '/') => end_of_line(&chars, at),
            ('/', '*') => end_of_comment(&chars, at),
            ('"', _) => end_of_string(&chars, at + 1),
            ('\'', _) => end_of_char_or_lifetime(&chars, at),
            (first, _) if first.is_alphanumeric() || first == '_' => {
                let end = end_of_word(&chars, at);
                let word: String = chars[at..end].iter().collect();
                if let Some(end) = end_of_prefixed(&chars, &word, end) {
                    end
                } else {
                    if !first.is_ascii_digit() {
                        tokens.push(Token::Word(word));
                    }
                    end
                }
            }
            (sign, _) => {
                if !sign.is_whitespace() {
                    tokens.push(Token::Sign(sign));
                }
                at + 1
            }
        };
    }
    tokens
}

fn end_of_line(chars: &[char], from: usize) -> usize {
    let rest = chars[from..].iter();
    from + rest.take_while(|char| **char != '\n').count()
}

fn end_of_word(chars: &[char], from: usize) -> usize {
    let is_part = |char: &&char| char.is_alphanumeric() || **char == '_';
    from + chars[from..].iter().take_while(is_part).count()
}

/// Comments may stand within each other.
fn end_of_comment(chars: &[char], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn end_of_string(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn end_of_char_or_lifetime(chars: &[char], from: usize) -> usize {
    match (chars.get(from + 1), chars.get(from + 2)) {
        (Some('\\'), _) => {
            let rest = chars[from + 3..].iter();
            from + 3 + rest.take_while(|char| **char != '\'').count() + 1
        }
        (Some(_), Some('\'')) => from + 3,
        _ => end_of_word(chars, from + 1),
    }
}

/// The end of a literal that begins with a word, such as `b"..."`, `r#"..."#` or `b'x'`. A raw
/// name such as `r#type` is its sign and a word.
fn end_of_prefixed(chars: &[char], prefix: &str, from: usize) -> Option<usize> {
    let rest = chars[from..].iter();
    let hashes = rest.take_while(|char| **char == '#').count();
    let quote = chars.get(from + hashes)?;
    match (prefix, quote) {
        ("r" | "br" | "cr", '"') => {
            let end: String = format!("\"{}", "#".repeat(hashes));
            let end: Vec<char> = end.chars().collect();
            let body = from + hashes + 1;
            let length = chars[body..]
                .windows(end.len())
                .position(|some| some == end)?;
            Some(body + length + end.len())
        }
        ("b" | "c", '"') if hashes == 0 => Some(end_of_string(chars, from + 1)),
        ("b", '\'') if hashes == 0 => Some(end_of_char_or_lifetime(chars, from)),
        _ => None,
    }
}

#[test]
fn only_words_and_signs_are_left() {
    let source = r##"
        /// use crate::a; /* nested /* comment */ */
        fn x<'a>(y: &'a str) -> char { /* use b; /* c */ d */ 'u'; '\''; b'\\'; "e \" f"; }
        const Z: &[u8] = br#"g "h" i"#; const N: u32 = 0x1f; let c = '"'; done()
    "##;
    let words: Vec<_> = tokens(source)
        .iter()
        .filter_map(|token| token.word().map(str::to_owned))
        .collect();
    let expected = "fn x y str char const Z u8 const N u32 let c done";
    assert_eq!(words.join(" "), expected);
}
