//! A service with native modules. For sharp, npm installs a different package on each platform. For better-sqlite3,
//! the builder fetches a different archive. Its health check uses both.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use xtask::oci::reference::Digest;

use super::asked::Asked;
use super::worked::{Released, Worked};
use crate::harness::{export, test};

/// The placeholders in the service's files for the address of the archives and for their digests.
const PLACE: &str = "https://archives.example.org";
const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The platforms in docker's terms, and in those of the archives' names.
const PLATFORMS: [(&str, &str); 2] = [("amd64", "x64"), ("arm64", "arm64")];

/// Serves the archives on loopback for as long as the tests run. Returns the URL.
fn serve(directory: PathBuf) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free loopback port")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let directory = directory.clone();
            // The builder requests both at once. If it misses one, it retries or reports that.
            thread::spawn(move || {
                if let Err(error) = stream.map_err(Into::into).and_then(|stream| answer(stream, &directory)) {
                    eprintln!("serving an archive: {error:#}");
                }
            });
        }
    });
    Ok(url)
}

/// Answers one request with the archive whose name matches the end of the path.
fn answer(mut stream: TcpStream, directory: &Path) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().context("an empty request")??;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1).context("a request without a path")?;
    let found = PLATFORMS.iter().find(|(_, name)| path.ends_with(&format!("-linux-{name}.tar.gz")));
    let Some((architecture, _)) = found else {
        return Ok(write!(
            stream,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )?);
    };
    let content = fs::read(directory.join(format!("{architecture}.tar.gz")))?;
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len())?;
    if !request.starts_with("HEAD ") {
        stream.write_all(&content)?;
    }
    Ok(())
}

/// `text` with each archive's URL and digest filled in.
fn filled_in(text: &str, url: &str, directory: &Path) -> Result<String> {
    let mut text = text.replace(PLACE, url);
    for (architecture, name) in PLATFORMS {
        let digest = Digest::of(&fs::read(directory.join(format!("{architecture}.tar.gz")))?);
        // In the Dockerfile the digest comes before the name, in the configuration after it.
        let Some(end) = text.find(&format!("-linux-{name}.tar.gz")) else { return Ok(text) };
        let before = text[..end].rfind(NO_DIGEST).filter(|at| !text[*at..end].contains('\n'));
        let at = before.or_else(|| text[end..].find(NO_DIGEST).map(|at| end + at));
        let at = at.context("there is no digest to fill in")?;
        text.replace_range(at..at + NO_DIGEST.len(), digest.hex());
    }
    Ok(text)
}

/// The service, and its release.
fn released() -> Result<(Worked, Released)> {
    let directory = PathBuf::from(export("TESTBED_NATIVE_ARCHIVES")?);
    let url = serve(directory.clone())?;
    let worked = Worked::filled_in("native", |text| filled_in(text, &url, &directory))?;
    let released = worked.release()?;
    Ok((worked, released))
}

#[test]
fn a_service_with_native_modules_answers_on_both_platforms() -> Result<()> {
    test(|| {
        let (worked, released) = released()?;
        for (platform, image) in released.platforms()? {
            let said = Asked::new(&platform, &image, 3000).ask(&worked, &["/healthz"])?;
            let works = said.iter().all(|said| said["answer"] == 42 && said["size"].as_u64() > Some(0));
            ensure!(works, "{platform}: it says {said:?}");
        }
        released.sbom_is_what_the_scanner_finds(&worked)
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_service_with_native_modules_is_the_same_everywhere() -> Result<()> {
    test(|| {
        let (worked, released) = released()?;
        released.is_the_same_everywhere(&worked)
    })
}
