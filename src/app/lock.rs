//! One process per database: a second one is refused, since two writers would give the same numbers.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context, bail};

/// Held as long as the process serves; the system lets go when it ends, however it ends.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    pub(super) fn take(database: &Path) -> anyhow::Result<Self> {
        let path = database.with_extension("lock");
        let file = File::create(&path)
            .with_context(|| format!("DATABASE_URL: can't make {} (does its folder exist?)", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => bail!("DATABASE_URL: another zapgate uses {}", database.display()),
            Err(TryLockError::Error(cause)) => Err(cause).with_context(|| format!("locking {}", path.display())),
        }
    }
}
