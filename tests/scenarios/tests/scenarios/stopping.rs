//! Ctrl-C at any moment: also while it still starts, it ends well, and what is there starts again.

use anyhow::Result;
use fanfare_scenarios::{
    folder::{Scratch, fixture},
    process::Process,
    tools,
};
use std::process::Command;

#[tokio::test]
async fn ctrl_c_while_it_still_starts_ends_it_well() -> Result<()> {
    let (folder, data) = (Scratch::copy_of(&fixture("shop"))?, Scratch::new()?);
    for line in ["database open", "Kubernetes API started", "resources applied", "HTTP API"] {
        let mut command = Command::new(tools::fanfare()?);
        command.arg("up").arg(folder.path()).arg("--data").arg(data.path()).env_remove("FANFARE_DATABASE_URL");
        command.args(["--listen", "127.0.0.1:0", "--kube-listen", "127.0.0.1:0"]);
        let log = data.path().join(format!("{line}.log"));
        let mut process = Process::start("up", &mut command, log)?;
        process.serves(|log| log.contains(line).then_some(())).await?;
        process.stop("-INT").await?;
    }
    let data = data.path().display().to_string();
    tools::verb(&["audit", "verify", "--data", &data], None).await?.code(0)?;
    Ok(())
}
