//! A database that several processes share, named by `--database`.

use anyhow::{Context, bail};
use fanfare_core::ids::Namespace;
use fanfare_store::{
    Error, Store,
    postgres::look::{self, Looked},
};
use std::{convert::Infallible, fmt, str::FromStr, sync::Arc, time::Duration};

/// How often somebody looks whether it is still the same database.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The address of a database. However it is printed, its password stays out.
#[derive(Clone)]
pub struct Address(String);

impl FromStr for Address {
    type Err = Infallible;
    /// Takes any text: what is wrong with it is said by [`open`], since the command line's own error would repeat it, and
    /// it may hold a password.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The parameters behind `?` may hold a password too.
        let text = self.0.split(['?', '#']).next().unwrap_or_default();
        let Some((scheme, rest)) = text.split_once("://") else { return f.write_str("the database") };
        let (login, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let user = login.split(':').next().unwrap_or_default();
        let at = if user.is_empty() { "" } else { "@" };
        write!(f, "{scheme}://{user}{at}{place}")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which database, for verbs that can work on one directly.
#[derive(Clone, Debug, clap::Args)]
pub struct Database {
    /// The shared database, such as postgres://fanfare@db.internal/fanfare. Give its password in PGPASSWORD, or the whole
    /// address in the environment: arguments can be read by others on the machine.
    #[arg(long, env = "FANFARE_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database: Option<Address>,
    /// The namespace in it; needed where it holds several.
    #[arg(long, env = "FANFARE_NAMESPACE", value_name = "NAMESPACE")]
    pub namespace: Option<String>,
}

/// Whether an address can be one of a shared database at all.
///
/// # Errors
/// When it cannot.
pub fn check(address: &Address) -> anyhow::Result<()> {
    let is_shared = ["postgres://", "postgresql://"].iter().any(|scheme| address.0.starts_with(scheme));
    anyhow::ensure!(
        is_shared,
        "--database: this is no address of a PostgreSQL; write postgres://USER@HOST:PORT/DATABASE, with the password in \
         PGPASSWORD, or the whole address in FANFARE_DATABASE_URL"
    );
    Ok(())
}

/// Opens a shared database, and says what to do when it cannot be.
pub async fn open(address: &Address) -> anyhow::Result<Arc<dyn Store>> {
    check(address)?;
    match fanfare_store::open(&address.0).await {
        Ok(store) => Ok(store),
        Err(Error::Version(what)) => bail!("--database: {address}: {what}"),
        Err(error) => Err(anyhow::anyhow!("{}", without_password(&error.to_string(), &address.0))).with_context(|| {
            format!("--database: {address} cannot be used; check the address, the login and that it runs")
        }),
    }
}

/// Looks at a shared database without opening it: nothing is migrated or written.
///
/// # Errors
/// When it cannot be reached, without its password.
pub async fn look(address: &Address) -> anyhow::Result<Looked> {
    check(address)?;
    let looked = look::look(&address.0).await;
    looked.map_err(|error| anyhow::anyhow!("{}", without_password(&error.to_string(), &address.0)))
}

/// Waits until the database turns out to be another than the one that was opened, and says so.
pub async fn until_restored(store: &dyn Store) -> anyhow::Error {
    loop {
        if let Err(error @ Error::Restored(_)) = store.ping().await {
            return error.into();
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What a driver says may repeat the address.
fn without_password(said: &str, address: &str) -> String {
    let login = address.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(login, _)| login);
    match login.and_then(|login| login.split_once(':')) {
        Some((_, password)) if !password.is_empty() => said.replace(password, "…"),
        _ => said.to_owned(),
    }
}

/// The namespace that is asked for, or the only one there is.
pub async fn namespace(store: &dyn Store, asked: Option<&str>) -> anyhow::Result<Namespace> {
    let known = store.namespaces().await?;
    let names = || known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match (asked, known.as_slice()) {
        (_, []) => bail!(
            "--namespace: this database has no namespace yet; publish campaigns to it first, such as with `fanfare up \
             DIR --database …`"
        ),
        (Some(asked), _) => match known.iter().find(|known| known.as_str() == asked) {
            Some(found) => Ok(found.clone()),
            None => bail!("--namespace: this database has no namespace {asked:?}; it has {}", names()),
        },
        (None, [only]) => Ok(only.clone()),
        (None, _) => bail!("--namespace: this database has several namespaces; name one of {}", names()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_printed_without_its_password() {
        for (address, printed) in [
            ("postgres://u:s3cret@h:5432/db", "postgres://u@h:5432/db"),
            ("postgresql://u:p@ss@h/db", "postgresql://u@h/db"),
            ("postgres://h/db?password=s3cret", "postgres://h/db"),
            ("postgres://u@h/db", "postgres://u@h/db"),
            ("u:s3cret@h", "the database"),
        ] {
            let address: Address = address.parse().unwrap();
            assert_eq!((address.to_string(), format!("{address:?}")), (printed.to_owned(), printed.to_owned()));
        }
    }

    #[test]
    fn what_the_driver_says_is_told_without_the_password() {
        let said = without_password("cannot parse postgres://u:s3cret@h", "postgres://u:s3cret@h");
        assert_eq!(said, "cannot parse postgres://u:…@h");
    }
}
