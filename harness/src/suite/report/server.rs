// SPDX-License-Identifier: MIT
//! A web server for one browser on this machine: a page asks for more than a browser reads from files.
//!
//! It has the files of some folders, and two addresses more: what is asked for at `/held` is answered (with nothing)
//! when `/done` has been asked for.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// When an answer that is held back is given anyway.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server; it takes no more connections when it is dropped.
pub struct Server {
    /// Where it is.
    pub address: SocketAddr,
    is_over: Arc<AtomicBool>,
}

impl Server {
    /// Begins to serve; of files with the same name the first folder's is taken.
    pub fn new(folders: &[&Path]) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let site = Arc::new(Site {
            folders: folders.iter().map(PathBuf::from).collect(),
            is_done: Mutex::new(false),
            done: Condvar::new(),
        });
        let seen = Arc::clone(&is_over);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if seen.load(Ordering::Relaxed) {
                    break;
                }
                let site = Arc::clone(&site);
                // A browser that hangs up in between has its reasons.
                thread::spawn(move || site.serve(stream).ok());
            }
        });
        Ok(Self { address, is_over })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread, which sees this.
        let _ = TcpStream::connect(self.address);
    }
}

struct Site {
    folders: Vec<PathBuf>,
    is_done: Mutex<bool>,
    done: Condvar,
}

impl Site {
    /// Answers one request.
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let request = lines.next().transpose()?.unwrap_or_default();
        // The rest of the head is of no use here.
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        let path = request.split([' ', '?']).nth(1).unwrap_or_default();
        let (status, kind, content) = match path {
            "/held" => {
                let is_done = self.is_done.lock().unwrap_or_else(PoisonError::into_inner);
                drop(self.done.wait_timeout_while(is_done, PATIENCE, |is_done| !*is_done));
                ("204 No Content", "text/plain", Vec::new())
            }
            "/done" => {
                *self.is_done.lock().unwrap_or_else(PoisonError::into_inner) = true;
                self.done.notify_all();
                ("204 No Content", "text/plain", Vec::new())
            }
            path => match self.file(path) {
                Some(content) => ("200 OK", kind(path), content),
                None => ("404 Not Found", "text/plain", Vec::new()),
            },
        };
        let length = content.len();
        write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: {kind}\r\n")?;
        write!(stream, "Content-Length: {length}\r\n\r\n")?;
        stream.write_all(&content)
    }

    fn file(&self, path: &str) -> Option<Vec<u8>> {
        let path = Path::new(path.strip_prefix('/')?);
        let is_inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        self.folders.iter().filter(|_| is_inside).find_map(|folder| fs::read(folder.join(path)).ok())
    }
}

/// What a file is, by its name's ending.
fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript",
        Some("css") => "text/css",
        Some("wasm") => "application/wasm",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}
