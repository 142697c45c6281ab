//! `[[stage]]`: where the activity is shown.
use settings::{Faulted, Section, all};

use super::bounds::NAME_CHARS;
use super::ids::Distinct;
use crate::campaign::Stage;

const STAGES_MAX: usize = 1_000;

pub(super) fn stages(root: &Section<'_>) -> Result<Vec<Stage>, Faulted> {
    let mut seen = Distinct::default();
    all(root
        .sections("stage", 0..=STAGES_MAX)?
        .iter()
        .map(|section| stage(section, &mut seen)))
}

fn stage(section: &Section<'_>, seen: &mut Distinct<Stage>) -> Result<Stage, Faulted> {
    let channel = section.string("channel", NAME_CHARS).required();
    let source = section.string("source", NAME_CHARS).required();
    let stage = Stage {
        channel: channel?,
        source: source?,
    };
    if seen.is_new(&stage) {
        Ok(stage)
    } else {
        Err(section.fault("channel", "this channel and source are listed already"))
    }
}
