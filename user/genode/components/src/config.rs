// SPDX-License-Identifier: MIT
//! A component's configuration: the attributes of its outermost element.

use genode_parts::Settings;
use genode_parts::script::Unclear;
use genode_rt::dataspace::Rom;
use genode_rt::{Env, Result, error};

/// Reads the configuration; what is wrong with it is an error line, behind which the component does nothing more.
pub fn read<T>(env: Env, meaning: impl FnOnce(&Settings) -> core::result::Result<T, Unclear>) -> Result<T> {
    let rom = Rom::open(env, "config")?;
    match Settings::read(rom.bytes()).and_then(|settings| meaning(&settings)) {
        Ok(meaning) => Ok(meaning),
        Err(Unclear(why)) => {
            error!("{why}");
            genode_rt::stop()
        }
    }
}
