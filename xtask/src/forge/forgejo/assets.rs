//! The files of a release: uploads, removals, and public downloads.

use anyhow::{Result, anyhow, ensure};

use super::Forgejo;
use crate::evidence::assets::{Asset, Listed};
use crate::evidence::page::PublishedPage;
use crate::http::{Address, Authorization, Method, Request, Response, follow, is_redirect, resolve};
use crate::inputs::version::ReleaseTag;
use crate::process::secret::Secret;

/// What an administrator may have to change.
const SETTINGS: &str = "the forge's administrator decides which files a release may have: `ENABLED` and `MAX_SIZE` in `[attachment]`, \
    `ALLOWED_TYPES` and, in Gitea, `FILE_MAX_SIZE` in `[repository.release]` of its `app.ini`";

/// Why a token does not help. A forge may accept it only at the addresses of its API.
const NOT_ACCEPTED: &str = "the forge asks to sign in although `FORGEJO_TOKEN` is set: the token has expired, or the forge does not accept \
    it for files; set `FORGEJO_TOKEN` to a person's token with `write:repository`, then run the same command again";

impl Forgejo {
    /// Uploads the file unchanged. The upload is not retried, because a forge accepts two files with the same name.
    pub(super) fn attach(&self, published: &PublishedPage, asset: &Asset) -> Result<()> {
        let Asset { name, bytes } = asset;
        let url = self.url(&format!("releases/{}/assets?name={name}", published.id));
        let request = Request::new(Method::Post, url).body("application/octet-stream", bytes.clone());
        let response = self.send(request)?;
        match response.status {
            201 => Ok(()),
            400 | 404 | 413 | 415 | 422 => {
                let refused = format!("the forge does not accept the file `{name}`; {SETTINGS}");
                Err(response.unexpected().context(refused))
            }
            _ => Err(response.unexpected()),
        }
    }

    pub(super) fn detach(&self, published: &PublishedPage, listed: &Listed) -> Result<()> {
        let url = self.url(&format!("releases/{}/assets/{}", published.id, listed.id));
        let response = self.send(Request::new(Method::Delete, url))?;
        // A 404 means that another run removed it meanwhile.
        ensure!(matches!(response.status, 204 | 404), response.unexpected());
        Ok(())
    }

    pub(super) fn download(&self, tag: &ReleaseTag, wanted: &[&Listed]) -> Vec<Result<Option<Vec<u8>>>> {
        let requests: Vec<_> = wanted.iter().map(|listed| self.file_request(tag, &listed.name)).collect();
        let mut answers = self.curl.send_all(&requests);
        if let Some(token) = &self.token {
            self.ask_again(&requests, &mut answers, token);
        }
        let answers = answers.into_iter().zip(&requests);
        answers.map(|(answer, request)| self.downloaded(request, answer?)).collect()
    }

    /// Requests again, with the token, the files that the forge does not give to anonymous readers: those of a draft
    /// or of a private repository.
    fn ask_again(&self, requests: &[Request], answers: &mut [Result<Response>], token: &Secret) {
        let is_closed = |request: &Request, response: &Response| {
            self.asks_to_sign_in(request, response) || matches!(response.status, 401 | 403 | 404)
        };
        let (closed, again): (Vec<_>, Vec<_>) = requests
            .iter()
            .zip(answers)
            .filter(|(request, answer)| answer.as_ref().is_ok_and(|response| is_closed(request, response)))
            .map(|(request, answer)| {
                (answer, request.clone().authorization(Authorization::Token(token.clone())))
            })
            .unzip();
        for (answer, response) in closed.into_iter().zip(self.curl.send_all(&again)) {
            *answer = response;
        }
    }

    /// The forge's own address, at which its API is queried.
    fn base(&self) -> String {
        let own = || self.config.forge.to_string();
        self.api.strip_suffix("/api/v1").map_or_else(own, str::to_owned)
    }

    /// The request goes to the forge's own address, not to one named in an answer, so the token is sent nowhere else.
    fn file_request(&self, tag: &ReleaseTag, name: &str) -> Request {
        let (base, repository) = (self.base(), self.name());
        Request::new(Method::Get, format!("{base}/{repository}/releases/download/{tag}/{name}"))
    }

    fn downloaded(&self, request: &Request, response: Response) -> Result<Option<Vec<u8>>> {
        // A forge that keeps files elsewhere redirects there.
        let response =
            follow(request, response, |url| self.check_address(url), |request| self.curl.send(request))?;
        match response.status {
            200 => Ok(Some(response.body)),
            404 => self.check_public().map(|()| None),
            _ => Err(response.unexpected()),
        }
    }

    /// Whether the forge redirects to its own sign-in form, as it does if it shows nothing to anonymous visitors
    /// (`REQUIRE_SIGNIN_VIEW`).
    fn asks_to_sign_in(&self, request: &Request, response: &Response) -> bool {
        let location = response.header("Location").filter(|_| is_redirect(request, response));
        location.is_some_and(|to| resolve(request.url(), to).is_ok_and(|to| self.is_sign_in_form(&to)))
    }

    fn is_sign_in_form(&self, url: &str) -> bool {
        url.starts_with(&format!("{}/user/login", self.base()))
    }

    /// Checks an address to which a download is redirected. The sign-in form is an ordinary page, and would otherwise
    /// be taken for the file. Files are downloaded only from addresses with TLS, unless the forge is queried without it.
    fn check_address(&self, url: &str) -> Result<()> {
        if self.is_sign_in_form(url) {
            return Err(if self.token.is_some() { anyhow!(NOT_ACCEPTED) } else { self.not_public() });
        }
        let is_plain = Address::parse(&self.base()).is_some_and(|base| !base.is_https());
        ensure!(is_plain || url.starts_with("https://"), "it redirects to an address without TLS");
        Ok(())
    }
}
