// SPDX-License-Identifier: MIT
//! What more than one test looks at: whoever asks first makes it, and the others wait for that.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

/// A thing that is made once, if that does not fail.
pub struct Shared<T>(Mutex<Option<Arc<T>>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Shared<T> {
    /// The thing; made now, unless it was made before.
    pub fn get(&self, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*place {
            return Ok(Arc::clone(made));
        }
        let made = Arc::new(make()?);
        *place = Some(Arc::clone(&made));
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn what_was_made_is_not_made_again_and_what_failed_is() {
        let shared = Shared::default();
        assert!(shared.get(|| bail!("not yet")).is_err());
        assert_eq!(*shared.get(|| Ok(1)).unwrap(), 1);
        assert_eq!(*shared.get(|| panic!("it is there")).unwrap(), 1);
    }
}
