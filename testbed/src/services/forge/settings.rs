//! The forge's `app.ini`: everything is on loopback, and nothing reaches beyond this machine.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;

use crate::provision::text;

/// What the configuration depends on besides the address.
pub(super) struct Settings {
    /// The directory for everything that it stores.
    pub(super) dir: PathBuf,
    /// The directory of its templates.
    pub(super) share: PathBuf,
    /// `SECRET_KEY`, `INTERNAL_TOKEN` and `JWT_SECRET`.
    pub(super) keys: [String; 3],
}

impl Settings {
    /// The file's text.
    pub(super) fn render(&self, address: SocketAddr) -> Result<String> {
        let (dir, share) = (text(&self.dir)?, text(&self.share)?);
        let [secret_key, internal_token, jwt_secret] = &self.keys;
        let (ip, port) = (address.ip(), address.port());
        // The only workflow directory is Forgejo's, as on the project's own forge. In a bare machine's container, the
        // user is root. The journal mode lets readers go on while a push is written. Requests are not logged, because a
        // single watcher sends a hundred per second.
        Ok(format!(
            "APP_NAME = testbed\nRUN_MODE = prod\nI_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true\nWORK_PATH = {dir}\n\
             [server]\nPROTOCOL = http\nHTTP_ADDR = {ip}\nHTTP_PORT = {port}\nDOMAIN = {ip}\n\
             ROOT_URL = http://{address}/\nSTATIC_ROOT_PATH = {share}\nAPP_DATA_PATH = {dir}/data\n\
             DISABLE_SSH = true\nLFS_START_SERVER = false\nOFFLINE_MODE = true\n\
             [database]\nDB_TYPE = sqlite3\nPATH = {dir}/forge.db\nSQLITE_JOURNAL_MODE = WAL\n\
             [repository]\nROOT = {dir}/repositories\n\
             [security]\nINSTALL_LOCK = true\nSECRET_KEY = {secret_key}\nINTERNAL_TOKEN = {internal_token}\n\
             [oauth2]\nJWT_SECRET = {jwt_secret}\n\
             [service]\nDISABLE_REGISTRATION = true\n\
             [mailer]\nENABLED = false\n\
             [cron.update_checker]\nENABLED = false\n\
             [indexer]\nISSUE_INDEXER_TYPE = db\n\
             [actions]\nENABLED = true\nWORKFLOW_DIRS = .forgejo/workflows\n\
             [packages]\nENABLED = true\n\
             [log]\nMODE = console\nLEVEL = Info\nCOLORIZE = false\nlogger.router.MODE =\n"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::Settings;

    #[test]
    fn the_forge_listens_on_the_loopback_address_that_its_answers_name() {
        let keys = ["k1", "k2", "k3"].map(str::to_owned);
        let settings = Settings { dir: "/t/run/forge".into(), share: "/t/prefix/share".into(), keys };
        let text = settings.render("127.0.0.1:3055".parse().unwrap()).unwrap();
        for line in [
            "HTTP_ADDR = 127.0.0.1",
            "HTTP_PORT = 3055",
            "ROOT_URL = http://127.0.0.1:3055/",
            "DISABLE_SSH = true",
            "INSTALL_LOCK = true",
            "WORKFLOW_DIRS = .forgejo/workflows",
            "SECRET_KEY = k1",
            "STATIC_ROOT_PATH = /t/prefix/share",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
        }
        assert_eq!(text.matches("127.0.0.1").count(), 3, "nothing else names an address");
    }
}
