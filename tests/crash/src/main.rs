//! The crash harness: tills work, the process is ended at a place of its choice, and what it was told holds afterwards.
//!
//! Nothing of the product is linked. `cycle` is one crash, `product` the process, `till` the load and its journal, `check`
//! and `money` what must hold after the next start, `report` the table. Every choice follows from the seed; the order in
//! which the machine lets calls arrive does not.

mod cycle;
mod disk;
mod points;
mod power;
mod product;
mod report;

use anyhow::{Context, Result, bail};
use product::Database;
use std::{path::PathBuf, process::ExitCode};

/// What happens to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The process is killed.
    Kill,
    /// So it is, and what was not synced is gone.
    Power,
    /// The same on a disk that says it has synced and has not: the run fails unless a loss is noticed.
    LyingDisk,
    /// The disk is full, or fails, and heals.
    Disk,
}

/// What was asked for on the command line.
struct Asked {
    fault: Fault,
    cycles: usize,
    seed: u64,
    tills: usize,
    database: Database,
    work: PathBuf,
    binary: PathBuf,
    shim: PathBuf,
}

const USAGE: &str = "tests/crash/run [--fault kill|power|disk|lying-disk] [--cycles N] [--seed S] [--tills N] [--database sqlite|postgres]";

fn asked() -> Result<Asked> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let from_env = |name: &str, other: PathBuf| std::env::var_os(name).map_or(other, PathBuf::from);
    let mut asked = Asked {
        fault: Fault::Kill,
        shim: from_env("FANFARE_CRASH_SHIM", target.join("crash-disk.so")),
        cycles: 25,
        seed: 1,
        tills: 12,
        database: Database::Sqlite,
        work: from_env("FANFARE_CRASH_DIR", target.join("crash")),
        binary: from_env("FANFARE_CRASH_BIN", target.join("debug/fanfare-with-fault-points")),
    };
    let mut words = std::env::args().skip(1);
    while let Some(flag) = words.next() {
        let value = words.next().with_context(|| format!("{flag} needs a value: {USAGE}"))?;
        match flag.as_str() {
            "--fault" => {
                asked.fault = match value.as_str() {
                    "kill" => Fault::Kill,
                    "power" => Fault::Power,
                    "lying-disk" => Fault::LyingDisk,
                    "disk" => Fault::Disk,
                    _ => bail!("--fault: kill, power, disk or lying-disk"),
                }
            }
            "--cycles" => asked.cycles = value.parse().context("--cycles: a number")?,
            "--seed" => asked.seed = value.parse().context("--seed: a number")?,
            "--tills" => asked.tills = value.parse().context("--tills: a number")?,
            "--database" => {
                asked.database =
                    match value.as_str() {
                        "sqlite" => Database::Sqlite,
                        "postgres" => Database::Postgres(std::env::var("FANFARE_TEST_POSTGRES").context(
                            "--database postgres: FANFARE_TEST_POSTGRES names it (tests/tools/postgres/start)",
                        )?),
                        _ => bail!("--database: sqlite or postgres"),
                    }
            }
            _ => bail!("{flag} is not known: {USAGE}"),
        }
    }
    if asked.fault != Fault::Kill && !matches!(asked.database, Database::Sqlite) {
        bail!("--fault: the disk below a database server is its own; take --database sqlite");
    }
    Ok(asked)
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let asked = asked()?;
    if asked.fault == Fault::Disk {
        return disk::run(&asked).await;
    }
    let report = cycle::run(&asked).await?;
    report.print(&asked);
    if asked.fault == Fault::LyingDisk {
        if report.lost() {
            println!("\nas it must: a disk that lies about its syncs was noticed");
            return Ok(ExitCode::SUCCESS);
        }
        println!("\na disk that lies about its syncs was not noticed: power cuts that lose nothing show nothing");
        return Ok(ExitCode::FAILURE);
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
