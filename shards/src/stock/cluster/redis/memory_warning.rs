//! Whether a Redis server may evict units.
use redis::cmd;
use tokio::time::timeout;

use super::options::RedisOptions;
use super::pool::RedisPool;

impl RedisOptions {
    /// What is wrong with the server's settings of memory, or why they could not be read; `None`
    /// when nothing is wrong.
    pub async fn memory_warning(&self) -> Option<String> {
        let asked = async {
            let mut connection = RedisPool::new(self)?.dial().await?;
            let asking = cmd("INFO")
                .arg("memory")
                .query_async::<String>(&mut connection.connection)
                .await;
            asking.map_err(|error| self.explain(&error))
        };
        let asked = timeout(2 * self.timeout, asked)
            .await
            .unwrap_or_else(|_| Err(self.late()));
        match asked {
            Ok(info) => policy_warning(&info),
            Err(why) => Some(format!(
                "could not be asked for its maxmemory-policy, which must be noeviction: {why}"
            )),
        }
    }
}

/// The warning about eviction, from `INFO memory`.
fn policy_warning(info: &str) -> Option<String> {
    let value = |key: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
    };
    match (value("maxmemory"), value("maxmemory_policy")) {
        (Some("0"), _) | (_, Some("noeviction")) => None,
        (Some(most), Some(policy)) => Some(format!(
            "maxmemory-policy is {policy} and maxmemory is {most}: units can be evicted, and the stock is counted \
             again each time; set maxmemory-policy noeviction"
        )),
        _ => Some("does not show its maxmemory-policy, which must be noeviction".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_policy_that_evicts_below_a_limit_is_warned_of() {
        let info = |most: &str, policy: &str| {
            format!("# Memory\r\nmaxmemory:{most}\r\nmaxmemory_policy:{policy}\r\n")
        };
        let warns = |most, policy| policy_warning(&info(most, policy));
        assert_eq!(
            (warns("0", "allkeys-lru"), warns("100", "noeviction")),
            (None, None)
        );
        let warning = warns("100", "volatile-ttl").expect("a warning");
        assert!(
            warning.contains("volatile-ttl") && warning.contains("100"),
            "{warning}"
        );
        assert!(
            policy_warning("# Memory\r\n")
                .expect("a warning")
                .contains("does not show")
        );
    }
}
