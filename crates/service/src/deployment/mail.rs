//! Taking in demands by e-mail, while a deployment serves.

use std::{io, net::SocketAddr, sync::Arc};

use store::requesters::RequesterStore;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use super::{
    Deployment,
    running::{StartError, stopped},
};
use crate::{
    link::Address,
    mail::{
        MailDesk,
        authentic::{Checker, OurServers},
        lmtp::{Desk, Reception},
        maildir::Maildir,
        postmark::Postmarks,
    },
    paper::PaperReader,
    requesters::{Hints, HintsError, Registry},
};

impl Deployment {
    /// What checks senders, where the configuration says so.
    pub fn postmarks(&self) -> Postmarks {
        let mail = self.config.mail.as_ref();
        Postmarks::beside_this_program(mail.map(|mail| mail.name_servers.clone()).unwrap_or_default())
    }

    /// What reads PDFs.
    pub fn papers(&self) -> PaperReader {
        PaperReader::beside_this_program()
    }

    /// The register of requesters, with the operator's lists as they now are.
    ///
    /// # Errors
    /// When a list cannot be read.
    pub fn registry(&self) -> Result<Registry, HintsError> {
        let hints = Hints::read(&self.layout.hints())?;
        Ok(Registry::new(
            RequesterStore::new(self.database.clone()),
            Arc::new(hints),
        ))
    }

    /// What takes messages in, as the configuration says.
    ///
    /// # Errors
    /// When a list cannot be read.
    pub fn mail_desk(&self) -> Result<MailDesk, HintsError> {
        let mail = self.config.mail.clone().unwrap_or_default();
        let mut checker = Checker::new(OurServers {
            results: mail.results_of,
            received_by: mail.received_by,
        });
        if mail.check_senders {
            checker = checker.with(self.postmarks());
        }
        Ok(MailDesk::new(
            self.desk.clone(),
            checker,
            Arc::new(self.registry()?),
        ))
    }

    /// Listens for mail and looks into the maildir, where the configuration has them.
    pub(super) async fn start_mail(
        &self,
        stop: &watch::Sender<bool>,
        tasks: &mut Vec<JoinHandle<()>>,
    ) -> Result<Option<Address>, StartError> {
        let Some(mail) = &self.config.mail else {
            return Ok(None);
        };
        let inbox = self.mail_desk()?;
        if let Some(path) = &mail.maildir {
            let path = self.layout.dir().join(path);
            let maildir = Maildir::open(&path).map_err(|source| StartError::Mail {
                place: path.display().to_string(),
                source,
            })?;
            tasks.push(tokio::spawn(maildir.serve(inbox.clone(), stopped(stop))));
        }
        let Some(address) = &mail.lmtp else {
            return Ok(None);
        };
        let address = address.within(self.layout.dir());
        let (reception, bound) = bind(&address).await.map_err(|source| StartError::Mail {
            place: address.to_string(),
            source,
        })?;
        let desk = Desk {
            name: "amparo".to_owned(),
            recipients: mail.recipients.clone(),
        };
        tasks.push(tokio::spawn(reception.serve(desk, inbox, stopped(stop))));
        Ok(Some(bound))
    }
}

async fn bind(address: &Address) -> io::Result<(Reception, Address)> {
    match address {
        Address::Unix(path) => Ok((Reception::unix(path.clone())?, address.clone())),
        Address::Tcp(at) => {
            let at: SocketAddr = at.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
            let listener = TcpListener::bind(at).await?;
            let bound = Address::Tcp(listener.local_addr()?.to_string());
            Ok((Reception::Tcp(listener), bound))
        }
    }
}
