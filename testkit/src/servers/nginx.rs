//! nginx servers, one per test.
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::ports::free_address;
use super::process::{ServerProcess, server_path};

/// Ports are free when they are chosen. When another process takes one first nginx ends, and
/// others are tried.
const TRIES: usize = 3;

/// An nginx with a folder of its own, which is its prefix.
#[derive(Debug)]
pub struct Nginx {
    server: ServerProcess,
    status: SocketAddr,
}

/// Where an nginx is to listen.
#[derive(Debug, Clone, Copy)]
pub struct NginxAddresses {
    /// For callers.
    pub listen: SocketAddr,
    /// For a second listener, such as the page of its state.
    pub status: SocketAddr,
}

impl Nginx {
    /// Starts one whose files `write` puts into its folder. `nginx.conf` is the first of them: it
    /// must say `daemon off`, `master_process off` and `pid nginx.pid`.
    pub async fn start(write: impl Fn(&Path, NginxAddresses)) -> Self {
        let mut tries = TRIES;
        loop {
            tries -= 1;
            let server = ServerProcess::new(|folder, _| {
                let folder = folder.to_str().expect("a plain name").to_owned();
                words(&folder)
            })
            .with_pid_file("nginx.pid");
            let status = free_address();
            let addresses = NginxAddresses {
                listen: server.address(),
                status,
            };
            write(server.folder(), addresses);
            match server.try_start().await {
                Ok(()) => return Self { server, status },
                Err(why) if tries == 0 => panic!("nginx {why}; its log:\n{}", server.log()),
                Err(_) => {}
            }
        }
    }

    /// A command that only checks the files of a folder.
    pub fn check(folder: &Path) -> Command {
        let words = words(folder.to_str().expect("a plain name"));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("-t");
        command.env("PATH", server_path());
        command
    }

    /// Where it listens.
    pub fn listen(&self) -> SocketAddr {
        self.server.address()
    }

    /// Its second address.
    pub fn status(&self) -> SocketAddr {
        self.status
    }

    /// Its folder, which is gone with this value.
    pub fn folder(&self) -> &Path {
        self.server.folder()
    }
}

fn words(folder: &str) -> Vec<String> {
    ["nginx", "-p", folder, "-c", "nginx.conf", "-e", "stderr"]
        .map(str::to_owned)
        .to_vec()
}
