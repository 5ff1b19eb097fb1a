//! How a request is authorized: with the current token, or with a new one when the registry requires it.

use std::sync::PoisonError;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::challenge::Challenge;
use super::{Client, Credentials};
use crate::http::{Authorization, Method, Request, Response};
use crate::process::failure::NotPublic;
use crate::process::secret::Secret;

/// Sends a request. The answer goes to memory or to a file.
pub(super) type Send<'a> = dyn Fn(&Request) -> Result<Response> + 'a;

/// The scope of a token: no more than the request needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Everything except removal.
    Usual,
    /// The removal of a tag.
    Delete,
}

/// The answer of a token server.
enum Answer {
    Token(Secret),
    Refused(Response),
}

impl Client {
    /// Sends all requests with the current token. Those for which the registry requires another token are sent again,
    /// one by one.
    pub(super) fn send_all(&self, requests: &[Request]) -> Vec<Result<Response>> {
        let authorization = self.current_authorization();
        let authorized = requests.iter().map(|request| request.clone().authorization(authorization.clone()));
        let answers = self.curl.send_all(&authorized.collect::<Vec<_>>());
        let checked = requests.iter().zip(answers).map(|(request, answer)| match answer {
            Ok(response) if response.status == 401 => self.send(request),
            Ok(response) => self.follow(request, response),
            Err(error) => Err(error),
        });
        checked.collect()
    }

    /// Sends with the current token. When the registry requires another one, gets it and sends again. Follows
    /// redirects.
    pub(super) fn send(&self, request: &Request) -> Result<Response> {
        self.send_by(request, &|request| self.curl.send(request))
    }

    /// As [`Client::send`], but sends with `send`.
    pub(super) fn send_by(&self, request: &Request, send: &Send<'_>) -> Result<Response> {
        let response = self.authorized(Scope::Usual, request, send)?;
        self.follow_by(request, response, send)
    }

    /// As [`Client::send`], with a token for `scope`, and without following redirects.
    pub(super) fn send_as(&self, scope: Scope, request: &Request) -> Result<Response> {
        self.authorized(scope, request, &|request| self.curl.send(request))
    }

    fn authorized(&self, scope: Scope, request: &Request, send: &Send<'_>) -> Result<Response> {
        let response = send(&request.clone().authorization(self.current_authorization()))?;
        let Some(challenge) = response.header("WWW-Authenticate").filter(|_| response.status == 401) else {
            return Ok(response);
        };
        let authorization = match (Challenge::parse(challenge), &self.credentials) {
            (Some(challenge), _) => {
                match (self.fetch_token(&challenge, &self.scope(scope), self.credentials.as_ref())?, scope) {
                    (Answer::Token(token), Scope::Usual) => {
                        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
                        Authorization::Bearer(token)
                    }
                    (Answer::Token(token), Scope::Delete) => Authorization::Bearer(token),
                    (Answer::Refused(answer), Scope::Delete) => return Ok(answer),
                    (Answer::Refused(answer), Scope::Usual) => {
                        let error = if self.is_hidden(&answer) {
                            self.not_public(&answer)
                        } else {
                            answer.unexpected()
                        };
                        return Err(error.context(self.getting_a_token()));
                    }
                }
            }
            (None, Some(credentials)) => {
                Authorization::Basic(credentials.user.clone(), credentials.password.clone())
            }
            (None, None) => return Err(self.not_public(&response)),
        };
        let response = send(&request.clone().authorization(authorization))?;
        if self.is_hidden(&response) { Err(self.not_public(&response)) } else { Ok(response) }
    }

    /// Whether the registry refused an anonymous request.
    fn is_hidden(&self, response: &Response) -> bool {
        self.credentials.is_none() && matches!(response.status, 401 | 403)
    }

    fn not_public(&self, response: &Response) -> anyhow::Error {
        let hidden = anyhow::Error::new(NotPublic::new(format!("`{}`", self.image)));
        hidden.context(response.unexpected())
    }

    fn current_authorization(&self) -> Authorization {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        token.map_or(Authorization::Anonymous, Authorization::Bearer)
    }

    fn getting_a_token(&self) -> String {
        format!("getting a token for `{}`", self.image)
    }

    /// The scope in the form that a token server expects.
    fn scope(&self, scope: Scope) -> String {
        let actions = match (&self.credentials, scope) {
            (None, _) => "pull",
            (Some(_), Scope::Usual) => "pull,push",
            (Some(_), Scope::Delete) => "pull,push,delete",
        };
        format!("repository:{}:{actions}", self.image.path)
    }

    /// Sends `request`, which has no authorization and is about the image `name` in this registry. If the registry
    /// requires a token, the request is sent again with one that is issued without credentials.
    pub(super) fn anonymously(&self, name: &str, request: &Request, send: &Send<'_>) -> Result<Response> {
        let response = send(request)?;
        let challenge = response.header("WWW-Authenticate").filter(|_| response.status == 401);
        let Some(challenge) = challenge.and_then(Challenge::parse) else { return Ok(response) };
        match self.fetch_token(&challenge, &format!("repository:{name}:pull"), None)? {
            Answer::Token(token) => send(&request.clone().authorization(Authorization::Bearer(token))),
            Answer::Refused(_) => Ok(response),
        }
    }

    fn fetch_token(
        &self,
        challenge: &Challenge,
        scope: &str,
        credentials: Option<&Credentials>,
    ) -> Result<Answer> {
        #[derive(Deserialize)]
        struct Given {
            token: Option<String>,
            access_token: Option<String>,
        }
        let doing = || self.getting_a_token();
        challenge.check_realm(&self.image.registry).with_context(doing)?;
        let mut request = Request::new(Method::Get, challenge.url(scope));
        if let Some(credentials) = credentials {
            let basic = Authorization::Basic(credentials.user.clone(), credentials.password.clone());
            request = request.authorization(basic);
        }
        let response = self.curl.send(&request).with_context(doing)?;
        if matches!(response.status, 400 | 401 | 403) {
            return Ok(Answer::Refused(response));
        }
        ensure!(response.status == 200, response.unexpected().context(doing()));
        let given: Given = response.json().with_context(doing)?;
        let token =
            given.token.or(given.access_token).with_context(|| format!("{response} without a token"))?;
        Secret::single_line("token", token).with_context(doing).map(Answer::Token)
    }
}
