//! The table of instances.

use super::Store;
use crate::domain::error::Error;
use crate::domain::ids::{InstanceName, UserId};
use crate::domain::instance::Instance;

impl Store {
    /// # Errors
    /// [`Error::Store`].
    pub async fn instance_of(&self, user: &UserId) -> Result<Option<Instance>, Error> {
        let _ = user;
        Ok(None)
    }

    /// # Errors
    /// [`Error::Store`].
    pub async fn instance_named(&self, name: &InstanceName) -> Result<Option<Instance>, Error> {
        let _ = name;
        Ok(None)
    }
}
