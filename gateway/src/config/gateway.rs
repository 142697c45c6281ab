//! The section `[gateway]`: this gateway among others.
use settings::{Faulted, Section};

/// This gateway among others.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Its name in the list of gateways; `None` for its host and port.
    pub name: Option<String>,
}

/// Reads the section.
pub fn read(section: &Section<'_>) -> Result<GatewayConfig, Faulted> {
    let name = section
        .string("name", 1..=64)
        .try_map(gateway_name)
        .optional();
    Ok(GatewayConfig { name: name? })
}

/// A name that stands in lists and on command lines. Behind a `~` stands what a gateway adds to a
/// name that another one has.
fn gateway_name(name: String) -> Result<String, &'static str> {
    let fits = name
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'~');
    if fits {
        Ok(name)
    } else {
        Err("expected visible ASCII characters without ~, such as gateway-0")
    }
}
