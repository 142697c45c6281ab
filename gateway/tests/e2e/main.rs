//! End to end: the built program over HTTP and by its subcommands, nothing of it linked in.
//!
//! One binary, so that the tests are linked once. Each test has a folder, ports and a server of
//! its own ([`support::Place`], [`support::Server`]), and no server outlives its test.
mod admin;
mod admin_address;
mod answers;
mod apps;
mod audit;
mod binding;
mod blacklist;
mod breakers;
mod campaigns;
mod chances;
mod clients;
mod cluster;
mod copies;
mod deployment;
mod drawing;
mod forecast;
mod goods;
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
mod points;
mod readme;
mod ready;
mod reference;
mod refusals;
mod reload;
mod results;
mod start;
mod stock;
mod stop;
mod support;
mod switches;
mod ten;
mod trade;
mod user_limits;
mod watch;
mod wrong_calls;
