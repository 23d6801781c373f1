//! The `fanfare` binary: reads the command line and wires the rooms. No logic of its own.

#![expect(unreachable_pub, reason = "a binary has no outside; `pub` says what a module offers to its neighbours")]
#![deny(clippy::print_stdout, reason = "`println!` panics where nobody reads on; `outln!` does not")]

#[macro_use]
mod out;

mod admission;
mod cli;
mod clock;
mod control;
mod database;
mod doctor;
mod measure;
mod random;
mod secrets;
mod send;
mod serve;
mod telemetry;
mod up;

use clap::Parser;
use std::process::ExitCode;

/// Many small, short-lived values on several threads: the system's allocator spends a sixth of a feed's time on its locks.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = cli::Args::parse();
    telemetry::start(args.log.as_deref(), args.log_format, args.command.wants_quiet());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the machine gives no threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(cli::run(args.command)) {
        Ok(code) => code,
        Err(error) => {
            telemetry::failed(&error);
            ExitCode::FAILURE
        }
    }
}
