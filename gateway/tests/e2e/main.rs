//! End to end: the built program over HTTP and by its subcommands, nothing of it linked in.
//!
//! One binary, so that the tests are linked once. Each test has a folder, ports and a server of
//! its own ([`support::Place`], [`support::Server`]), and no server outlives its test.
mod admin;
mod admin_address;
mod answers;
mod audit;
mod binding;
mod breakers;
mod campaigns;
mod chances;
mod clients;
mod cluster;
mod copies;
mod deployment;
mod drawing;
mod forecast;
mod health;
mod hostile;
mod identity;
mod kill;
mod life;
mod limits;
mod log;
mod metrics;
mod nginx;
mod overload;
mod readme;
mod ready;
mod refusals;
mod reload;
mod results;
mod start;
mod stock;
mod stop;
mod support;
mod switches;
mod ten;
mod watch;
mod wrong_calls;
