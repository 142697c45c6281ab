//! The operating system's entropy, fetched a page at a time.
use market::random::Randomness;

/// How many bytes one system call fetches: 512 draws.
const BUFFER_BYTES: usize = 4096;

/// Random numbers from the operating system. Prizes are drawn with them.
#[derive(Debug)]
pub struct OsRandom {
    buffer: Box<[u8; BUFFER_BYTES]>,
    used: usize,
}

impl Default for OsRandom {
    fn default() -> Self {
        Self {
            buffer: Box::new([0; BUFFER_BYTES]),
            used: BUFFER_BYTES,
        }
    }
}

impl Randomness for OsRandom {
    fn next_u64(&mut self) -> u64 {
        if self.used == BUFFER_BYTES {
            // Without entropy no draw would be fair, and no single draw could report that.
            getrandom::fill(self.buffer.as_mut())
                .expect("the operating system gives random numbers");
            self.used = 0;
        }
        let bytes = &mut self.buffer[self.used..self.used + 8];
        let number = u64::from_ne_bytes((&*bytes).try_into().expect("eight bytes"));
        // A used number must not stay in memory.
        bytes.fill(0);
        self.used += 8;
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_given_out_twice() {
        let mut random = OsRandom::default();
        let numbers: std::collections::HashSet<u64> =
            (0..2_000).map(|_| random.next_u64()).collect();
        assert_eq!(numbers.len(), 2_000);
    }
}
