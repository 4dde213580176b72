//! A terminal for the program, as if a person sat in front of it.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

/// A pseudo-terminal: the user's end and the program's end.
pub(crate) fn terminal() -> (File, File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let path = ptsname(&person, Vec::new()).unwrap();
    let program = OpenOptions::new().read(true).write(true).open(OsStr::from_bytes(path.to_bytes())).unwrap();
    (person.into(), program)
}

/// Terminal output until it ends with this text or no program has it open any more.
pub(crate) fn shown(person: &mut File, end: &str) -> String {
    let (mut all, mut piece) = (Vec::new(), [0; 1024]);
    while !String::from_utf8_lossy(&all).ends_with(end) || end.is_empty() {
        match person.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(count) => all.extend_from_slice(&piece[..count]),
        }
    }
    String::from_utf8(all).unwrap()
}
