//! The paths of the admin address that need a token, and who may use them. All of that follows
//! from one table: which paths exist, which methods each takes, and which role a caller needs.
//!
//! Each file adds its handlers to [`Admin`]. A handler is named in the table and nowhere else.
mod audit_log;
mod breakers;
pub mod chances;
mod config;
mod cooldowns;
mod dcc;
mod gateways;
mod jobs;
mod limits;
mod log;
pub mod look_ups;
pub mod points;
mod reload;
mod results;
mod switches;

use std::future::Future;
use std::pin::Pin;

use hyper::Method;

use super::call::AdminCall;
use super::state::Admin;
use super::token::Role;
use crate::edge::HttpResponse;

/// The paths that are this server's own begin so.
const PREFIX: &str = "/admin/";

/// The reference's way to flip a switch.
const DCC_PATH: &str = "/api/v1/raffle/dcc/update_config";

/// The role that a caller needs, the method, the path and the handler of each endpoint.
macro_rules! endpoints {
    ($($role:ident $method:ident $path:expr => $handler:ident,)*) => {
        &[$(AdminEndpoint {
            path: $path,
            method: Method::$method,
            role: Role::$role,
            handle: |admin, call| Box::pin(admin.$handler(call)),
        }),*]
    };
}

/// All endpoints. A path's lines stand together.
static ENDPOINTS: &[AdminEndpoint] = endpoints! {
    Viewer GET "/admin/switches" => list_switches,
    Operator POST "/admin/switches" => set_switch,
    Operator DELETE "/admin/switches" => clear_switch,
    Viewer GET "/admin/switches/history" => switch_history,
    Viewer GET "/admin/breakers" => list_breakers,
    Operator POST "/admin/breakers" => set_breaker,
    Operator DELETE "/admin/breakers" => clear_breaker,
    Viewer GET "/admin/gateways" => list_gateways,
    Operator DELETE "/admin/gateways" => forget_gateway,
    Operator POST "/admin/gateways/rotation" => rotate,
    Viewer GET "/admin/jobs" => list_jobs,
    Viewer GET "/admin/cooldowns" => list_cooldowns,
    Operator POST "/admin/cooldowns" => set_cooldown,
    Operator DELETE "/admin/cooldowns" => clear_cooldown,
    Operator POST "/admin/chances" => give_chances,
    Viewer GET "/admin/points" => show_points,
    Operator POST "/admin/points" => change_points,
    Viewer GET "/admin/limits" => list_limits,
    Operator POST "/admin/limits" => set_limit,
    Operator DELETE "/admin/limits" => clear_limit,
    Viewer GET "/admin/log" => show_log,
    Operator POST "/admin/log" => set_log,
    Operator DELETE "/admin/log" => clear_log,
    Operator POST "/admin/reload" => reload,
    Viewer GET "/admin/audit_log" => list_audit_log,
    Viewer GET "/admin/config" => show_config,
    Viewer GET "/admin/orders" => look_up_orders,
    Viewer GET "/admin/accounts" => look_up_account,
    Viewer GET "/admin/results" => export_results,
    Viewer GET "/admin/report" => report_activity,
    Viewer GET "/admin/draws" => find_draws,
    Operator GET DCC_PATH => update_config,
};

/// One method of one path.
pub(super) struct AdminEndpoint {
    path: &'static str,
    method: Method,
    /// The least role that may use it.
    pub(super) role: Role,
    pub(super) handle: AdminHandler,
}

type AdminHandler = for<'a> fn(&'a Admin, AdminCall) -> Handled<'a>;

/// A response that is being made.
type Handled<'a> = Pin<Box<dyn Future<Output = HttpResponse> + Send + 'a>>;

/// Why no endpoint serves a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoEndpoint {
    /// There is no such path.
    Path,
    /// The path takes these methods only.
    Method(Vec<&'static str>),
}

/// Whether a request for this path needs a token. It does below `/admin/` also where no endpoint
/// is: strangers do not learn which paths exist.
pub(super) fn needs_token(path: &str) -> bool {
    path.starts_with(PREFIX) || ENDPOINTS.iter().any(|endpoint| endpoint.path == path)
}

/// The endpoint that serves a method of a path.
pub(super) fn find(method: &Method, path: &str) -> Result<&'static AdminEndpoint, NoEndpoint> {
    let mut allowed = Vec::new();
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.path == path) {
        if endpoint.method == method {
            return Ok(endpoint);
        }
        allowed.push(endpoint.method.as_str());
    }
    if allowed.is_empty() {
        Err(NoEndpoint::Path)
    } else {
        Err(NoEndpoint::Method(allowed))
    }
}

/// The paths that are this server's own, each once.
pub(super) fn paths() -> Vec<&'static str> {
    let mut paths: Vec<&str> = ENDPOINTS.iter().map(|endpoint| endpoint.path).collect();
    paths.dedup();
    paths.retain(|path| path.starts_with(PREFIX));
    paths
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_path_takes_a_method_once_and_its_lines_stand_together() {
        let names = |endpoint: &AdminEndpoint| (endpoint.path, endpoint.method.to_string());
        let distinct: BTreeSet<_> = ENDPOINTS.iter().map(names).collect();
        assert_eq!(distinct.len(), ENDPOINTS.len());
        let distinct: BTreeSet<_> = paths().into_iter().collect();
        assert_eq!(distinct.len(), paths().len());
    }

    #[test]
    fn a_viewer_changes_nothing() {
        for endpoint in ENDPOINTS.iter().filter(|found| found.role == Role::Viewer) {
            assert_eq!(endpoint.method, Method::GET, "{}", endpoint.path);
        }
        let role = find(&Method::GET, DCC_PATH).map(|flip| flip.role);
        assert_eq!(role, Ok(Role::Operator));
    }

    #[test]
    fn what_no_endpoint_serves_is_refused_by_path_or_by_method() {
        let refused = |method, path| find(&method, path).err();
        assert_eq!(refused(Method::GET, "/admin/"), Some(NoEndpoint::Path));
        let allowed = NoEndpoint::Method(vec!["GET", "POST", "DELETE"]);
        assert_eq!(refused(Method::PUT, "/admin/switches"), Some(allowed));
        assert!(needs_token("/admin/none") && needs_token(DCC_PATH));
        assert!(!needs_token("/metrics") && !paths().contains(&DCC_PATH));
    }

    #[test]
    fn each_path_is_documented() {
        let page = include_str!("../../../../docs/switches.md");
        for endpoint in ENDPOINTS {
            let written = format!("{} `{}", endpoint.method, endpoint.path);
            // The whole path, not the beginning of a longer one.
            let has = |end: char| page.contains(&format!("{written}{end}"));
            assert!(has('`') || has('?'), "docs/switches.md lacks {written}`");
        }
    }
}
