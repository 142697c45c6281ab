//! `/admin/limits`: the limits of this gateway, as they are configured and as they are.
use serde_json::{Map, Value, json};

use crate::limits::overrides::{ListedLimit, to_json};

/// All limits that there are or would be but for an override.
pub(super) fn list(limits: &[ListedLimit]) -> String {
    let there = limits.iter().filter(|limit| limit.configured.is_some() || limit.overridden.is_some());
    json!({ "limits": there.map(shown).collect::<Vec<_>>() }).to_string()
}

fn shown(limit: &ListedLimit) -> Value {
    let origin = if limit.overridden.is_some() { "override" } else { "configuration" };
    let mut shown = Map::new();
    shown.insert("target".to_owned(), limit.target.to_string().into());
    shown.insert("origin".to_owned(), origin.into());
    shown.insert("inForce".to_owned(), to_json(limit.in_force().as_ref()));
    shown.insert("configured".to_owned(), to_json(limit.configured.as_ref()));
    if let Some(expires_at) = limit.overridden.and_then(|over| over.expires_at) {
        shown.insert("expiresAt".to_owned(), expires_at.to_string().into());
    }
    Value::Object(shown)
}
