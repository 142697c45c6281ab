//! The scripts that run on a stock server.

/// A script that works on the units, if both keys are whole and this cluster's.
macro_rules! on_units {
    ($name:literal) => {
        concat!(
            include_str!("../../../../lua/whole.lua"),
            include_str!(concat!("../../../../lua/", $name, ".lua"))
        )
    };
}

pub(super) const SCRIPTS: [&str; 7] = [
    on_units!("take"),
    on_units!("close"),
    on_units!("look"),
    include_str!("../../../../lua/recognise.lua"),
    include_str!("../../../../lua/reset.lua"),
    on_units!("add"),
    on_units!("withdraw"),
];

/// The index of each script in [`SCRIPTS`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Script {
    Take,
    Close,
    Look,
    Recognise,
    Reset,
    Add,
    Withdraw,
}
