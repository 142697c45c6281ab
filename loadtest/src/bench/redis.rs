//! How many units of stock Redis can count down: DECR, pipelined over one connection.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::error::Error;

/// Commands in flight: as many as a lane's batch may have draws.
const DEPTH: u32 = 512;

const KEY: &str = "loadtest:units";
const UNITS: u64 = 1_000_000_000_000;

/// The timeout of a Redis that does not respond.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Counts down for `seconds`. Returns the commands per second.
pub(super) fn measure(address: SocketAddr, seconds: u64) -> Result<f64, Error> {
    let mut redis = Redis::connect(address)?;
    redis.exchange(&command(&["SET", KEY, &UNITS.to_string()]), 1)?;
    let batch = command(&["DECR", KEY]).repeat(DEPTH as usize);
    let start = Instant::now();
    let mut commands = 0.0;
    while start.elapsed() < Duration::from_secs(seconds) {
        redis.exchange(&batch, DEPTH)?;
        commands += f64::from(DEPTH);
    }
    let rate = commands / start.elapsed().as_secs_f64();
    redis.exchange(&command(&["DEL", KEY]), 1)?;
    Ok(rate)
}

struct Redis(TcpStream);

impl Redis {
    fn connect(address: SocketAddr) -> Result<Self, Error> {
        let open = || {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(SILENCE_MAX))?;
            Ok(Self(stream))
        };
        open().map_err(|e| Error::io("redis", e))
    }

    /// Sends commands and waits for that many replies of one line each.
    fn exchange(&mut self, commands: &[u8], mut answers: u32) -> Result<(), Error> {
        let failed = |e| Error::io("redis", e);
        self.0.write_all(commands).map_err(failed)?;
        let mut input = [0; 16 * 1024];
        while answers > 0 {
            let length = self.0.read(&mut input).map_err(failed)?;
            let seen = lines(&input[..length])?;
            if length == 0 || seen > answers {
                return Err(Error::CannotRun(
                    "redis: there are too few replies, or too many".to_owned(),
                ));
            }
            answers -= seen;
        }
        Ok(())
    }
}

/// How many replies end here. The count never comes near zero, so a minus begins an error.
fn lines(input: &[u8]) -> Result<u32, Error> {
    if input.contains(&b'-') {
        return Err(Error::CannotRun(format!(
            "redis: {}",
            String::from_utf8_lossy(input).trim()
        )));
    }
    Ok(input.iter().map(|&byte| u32::from(byte == b'\n')).sum())
}

fn command(words: &[&str]) -> Vec<u8> {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        // Writing to a String cannot fail.
        let _ = write!(text, "${}\r\n{word}\r\n", word.len());
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_framed() {
        assert_eq!(command(&["DECR", "k"]), b"*2\r\n$4\r\nDECR\r\n$1\r\nk\r\n");
    }

    #[test]
    fn answers_are_counted_and_errors_seen() {
        assert_eq!(lines(b":999\r\n:998\r\n:9").expect("fine"), 2);
        assert!(lines(b"-ERR no\r\n").is_err());
    }
}
