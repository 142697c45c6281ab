//! Files with random damage: whatever they hold, the reader returns faults and does not panic.
use proptest::prelude::*;

use super::*;

proptest! {
    /// Characters that were overwritten, and files that were cut.
    #[test]
    fn no_damage_makes_the_reader_panic(
        file in 0..SHIPPED.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..30, "[\\]\\[{}=\",.#0-9a-z_\n -]{0,6}"), 0..6),
        end in any::<prop::sample::Index>(),
        is_cut: bool,
    ) {
        let mut text: Vec<char> = SHIPPED[file].chars().collect();
        for (start, length, instead) in edits {
            let start = start.index(text.len());
            let range = start..(start + length).min(text.len());
            text.splice(range, instead.chars());
        }
        if is_cut {
            text.truncate(end.index(text.len() + 1));
        }
        let text: String = text.into_iter().collect();
        if let Err(invalid) = Campaign::parse(&text) {
            prop_assert!(!invalid.faults.is_empty());
            prop_assert!(!invalid.to_string().is_empty());
        }
    }

    /// Whole lines that are missing or doubled: such files reach the checks behind the syntax.
    #[test]
    fn no_lost_or_doubled_line_makes_the_reader_panic(
        file in 0..SHIPPED.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..4),
    ) {
        let mut lines: Vec<&str> = SHIPPED[file].lines().collect();
        for (line, is_doubled) in edits {
            let index = line.index(lines.len());
            if is_doubled {
                lines.insert(index, lines[index]);
            } else {
                lines.remove(index);
            }
        }
        let _ = Campaign::parse(&lines.join("\n"));
    }
}
