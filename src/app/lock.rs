//! One process per database: a second one is refused, since two writers would give the same numbers. And one database
//! per lock file: another one put in its place, an old copy for instance, gets a new epoch, since its numbers are not
//! those that pages know.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use anyhow::{Context, bail};
use tracing::warn;

use super::random_text;
use crate::adapters::store::Store;
use crate::domain::channel::Epoch;

/// Held as long as the process serves; the system lets go when it ends, however it ends.
#[derive(Debug)]
pub(super) struct FolderLock {
    file: File,
}

impl FolderLock {
    pub(super) fn take(database: &Path) -> anyhow::Result<Self> {
        let path = database.with_extension("lock");
        // Not emptied: what is in it counts, and may be another process's.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("DATABASE_URL: can't make {} (does its folder exist?)", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => bail!("DATABASE_URL: another zapgate uses {}", database.display()),
            Err(TryLockError::Error(cause)) => Err(cause).with_context(|| format!("locking {}", path.display())),
        }
    }

    /// The epoch of `store`: its own when it was served here last, else a new one. To tell, file and database carry the
    /// same random mark, and both get another one at the start and at an orderly end: then no copy taken before has it.
    ///
    /// A kill between the writes changes no epoch, since meanwhile the file has both marks. Nor does it make another
    /// database pass, since the mark of that one is never written here.
    ///
    /// # Errors
    /// When the file or the database can't be read or written.
    pub(super) async fn mark(&self, store: &Store) -> anyhow::Result<Epoch> {
        let file = "reading or writing the lock file";
        let carried = store.mark().await?;
        let known = self.marks().context(file)?;
        let old = carried.as_ref().filter(|mark| known.split_whitespace().any(|known| known == mark.as_str()));
        if carried.is_some() && old.is_none() {
            warn!("this is not the database that was served here last: pages begin anew");
        }
        let new = random_text::<MARK_BYTES>();
        self.write(old.unwrap_or(&new), &new).context(file)?;
        let fresh = old.is_none().then(|| Epoch(random_text::<12>()));
        let epoch = store.set_mark(&new, fresh.as_ref()).await?;
        self.write(&new, &new).context(file)?;
        Ok(epoch)
    }

    fn marks(&self) -> io::Result<String> {
        let mut bytes = Vec::new();
        (&self.file).rewind()?;
        (&self.file).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// One write, always of the same length: no kill leaves half of it.
    fn write(&self, one: &str, other: &str) -> io::Result<()> {
        (&self.file).rewind()?;
        (&self.file).write_all(format!("{one} {other}\n").as_bytes())?;
        self.file.sync_data()
    }
}

/// Random bytes of a mark.
const MARK_BYTES: usize = 12;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    /// A folder with a database that nobody serves.
    struct Folder(TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn database(&self) -> PathBuf {
            self.0.path().join("zapgate.db")
        }

        fn lock(&self) -> PathBuf {
            self.0.path().join("zapgate.lock")
        }

        /// A start, and an end without warning.
        async fn served(&self) -> Epoch {
            let lock = FolderLock::take(&self.database()).unwrap();
            let store = Store::open(&self.database()).await.unwrap();
            let epoch = lock.mark(&store).await.unwrap();
            store.close().await;
            epoch
        }
    }

    #[tokio::test]
    async fn the_epoch_stays_over_restarts() {
        let folder = Folder::new();

        let epochs = [folder.served().await, folder.served().await, folder.served().await];

        assert_eq!(epochs[0], epochs[1]);
        assert_eq!(epochs[1], epochs[2]);
    }

    #[tokio::test]
    async fn an_old_copy_put_back_gets_a_new_epoch_and_keeps_it() {
        let folder = Folder::new();
        let before = folder.served().await;
        let copy = fs::read(folder.database()).unwrap();
        folder.served().await;
        fs::write(folder.database(), copy).unwrap();

        let put_back = folder.served().await;

        assert_ne!(put_back, before);
        assert_eq!(folder.served().await, put_back);
    }

    #[tokio::test]
    async fn a_copy_in_another_folder_gets_a_new_epoch() {
        let (here, there) = (Folder::new(), Folder::new());
        let epoch = here.served().await;
        fs::copy(here.database(), there.database()).unwrap();

        assert_ne!(there.served().await, epoch);
    }

    #[tokio::test]
    async fn a_copy_taken_while_it_was_served_is_known_after_an_orderly_end() {
        let folder = Folder::new();
        let lock = FolderLock::take(&folder.database()).unwrap();
        let store = Store::open(&folder.database()).await.unwrap();
        let epoch = lock.mark(&store).await.unwrap();
        store.empty_wal().await.unwrap();
        let copy = fs::read(folder.database()).unwrap();
        lock.mark(&store).await.unwrap();
        store.close().await;
        drop(lock);
        fs::write(folder.database(), copy).unwrap();

        assert_ne!(folder.served().await, epoch);
    }

    #[tokio::test]
    async fn a_kill_between_the_writes_changes_no_epoch() {
        let folder = Folder::new();
        let epoch = folder.served().await;
        let old = &fs::read_to_string(folder.lock()).unwrap()[..16];

        // Before and after the database got the new mark.
        for marks in [format!("{old} AAAAAAAAAAAAAAAA\n"), format!("AAAAAAAAAAAAAAAA {old}\n")] {
            let database = fs::read(folder.database()).unwrap();
            fs::write(folder.lock(), marks).unwrap();
            assert_eq!(folder.served().await, epoch);
            fs::write(folder.database(), database).unwrap();
        }
    }

    #[tokio::test]
    async fn a_kill_while_another_database_is_taken_on_does_not_make_it_pass() {
        let folder = Folder::new();
        let before = folder.served().await;
        let copy = fs::read(folder.database()).unwrap();
        folder.served().await;
        fs::write(folder.database(), &copy).unwrap();
        folder.served().await;
        // The file was written, the database was not.
        fs::write(folder.database(), copy).unwrap();

        assert_ne!(folder.served().await, before);
    }

    #[test]
    fn a_second_process_is_refused_and_takes_nothing_from_the_first() {
        let folder = Folder::new();
        let first = FolderLock::take(&folder.database()).unwrap();
        first.write("one", "two").unwrap();

        assert!(FolderLock::take(&folder.database()).is_err());
        assert_eq!(first.marks().unwrap(), "one two\n");
    }
}
