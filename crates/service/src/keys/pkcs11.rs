//! A key in a hardware module, over PKCS#11: AES-GCM inside the token, whose key cannot be taken out.
//!
//! Calls into a module block, and a session serves one caller: one thread of its own holds the one session.

use std::{
    path::{Path, PathBuf},
    sync::mpsc,
};

use async_trait::async_trait;
use casework::ids::ProviderId;
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Function, Pkcs11},
    error::{Error, RvError},
    mechanism::{Mechanism, aead::GcmParams},
    object::{Attribute, KeyType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    types::AuthPin,
};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::{
    ASKS_MAX, EndOrder, Ended, Health, HolderError, KeyPlace, KeyProvider, Reason, Why, refused::words,
};

const VERSION: u8 = 1;
const IV_BYTES: usize = 12;
const TAG_BITS: u64 = 128;

/// Which key of which token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The module, such as `/usr/lib/softhsm/libsofthsm2.so`.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The AES key's label.
    pub key: String,
}

/// A key in a hardware module.
pub struct Hardware {
    id: ProviderId,
    token: Token,
    jobs: mpsc::SyncSender<Job>,
}

enum Work {
    Wrap {
        place: Vec<u8>,
        secret: Zeroizing<Vec<u8>>,
    },
    Unwrap {
        place: Vec<u8>,
        blob: Vec<u8>,
    },
    Health,
    End,
}

struct Job {
    work: Work,
    reply: oneshot::Sender<Result<Zeroizing<Vec<u8>>, Why>>,
}

impl Hardware {
    /// Starts the thread that holds the session. The token is opened when it is asked first, and again after it failed.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(id: ProviderId, token: Token, pin: Zeroizing<String>) -> Result<Self, HolderError> {
        let (jobs, queue) = mpsc::sync_channel(ASKS_MAX);
        let at = token.clone();
        std::thread::Builder::new()
            .name(format!("pkcs11-{id}"))
            .spawn(move || serve(&at, &pin, &queue))
            .map_err(|error| HolderError::new(&id, Why::Unusable(error.to_string())))?;
        Ok(Self { id, token, jobs })
    }

    async fn ask(&self, work: Work) -> Result<Zeroizing<Vec<u8>>, HolderError> {
        let fail = |why| HolderError::new(&self.id, why);
        let (reply, answer) = oneshot::channel();
        self.jobs
            .try_send(Job { work, reply })
            .map_err(|error| match error {
                mpsc::TrySendError::Full(_) => fail(Why::Busy),
                mpsc::TrySendError::Disconnected(_) => fail(Why::Away("its thread ended".to_owned())),
            })?;
        let answer = answer.await;
        answer
            .map_err(|_| fail(Why::Away("its thread ended".to_owned())))?
            .map_err(fail)
    }
}

/// An open session and the key in it.
struct Opened {
    session: Session,
    key: ObjectHandle,
}

fn serve(token: &Token, pin: &Zeroizing<String>, queue: &mpsc::Receiver<Job>) {
    let mut opened: Option<Opened> = None;
    while let Ok(Job { work, reply }) = queue.recv() {
        // Who asked may have given up meanwhile.
        if reply.is_closed() {
            continue;
        }
        let answer = match (&work, &opened) {
            (Work::End, _) => {
                // What is open names the key by a handle that is about to mean nothing.
                opened = None;
                end(token, pin)
            }
            (work, Some(token)) => token.work(work),
            (work, None) => open(token, pin).and_then(|fresh| opened.insert(fresh).work(work)),
        };
        let answer = answer.map_err(|error| {
            let why = why(&error);
            // What is not about this blob may be about the session: begin anew next time.
            if why != Why::NotHere {
                opened = None;
            }
            why
        });
        let _ = reply.send(answer);
    }
}

/// Makes a new AES-256 key in the token, which never leaves it.
///
/// # Errors
/// When the token refuses, or has a key of this label already.
pub fn generate(token: &Token, pin: &Zeroizing<String>) -> Result<(), NotGenerated> {
    let (session, there) = log_in(token, pin, true)?;
    if there.is_some() {
        return Err(NotGenerated::There);
    }
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::ValueLen(32.into()),
        Attribute::Label(token.key.as_bytes().to_vec()),
    ];
    session.generate_key(&Mechanism::AesKeyGen, &template)?;
    Ok(())
}

/// Destroys the one key of the label, and looks whether it is gone. Where it is gone already, there is nothing to do.
fn end(token: &Token, pin: &Zeroizing<String>) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (session, _) = log_in(token, pin, true)?;
    let of_label = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::Label(token.key.as_bytes().to_vec()),
    ];
    let found = session.find_objects(&of_label)?;
    if found.len() > 1 {
        // Which of them wrapped what, nobody can tell.
        return Err(Error::Pkcs11(
            RvError::KeyFunctionNotPermitted,
            Function::DestroyObject,
        ));
    }
    for key in &found {
        session.destroy_object(*key)?;
    }
    if !session.find_objects(&of_label)?.is_empty() {
        return Err(Error::Pkcs11(RvError::FunctionFailed, Function::DestroyObject));
    }
    Ok(Zeroizing::new(vec![u8::try_from(found.len()).unwrap_or(u8::MAX)]))
}

/// Why a key was not made in a token.
#[derive(Debug, thiserror::Error)]
pub enum NotGenerated {
    /// There is one of this label.
    #[error("the token has a key of this label already")]
    There,
    /// The token refused.
    #[error("the token refused")]
    Token(#[from] Error),
}

/// The context of a module. One process initializes a module once.
fn context(module: &Path) -> Result<Pkcs11, Error> {
    let context = Pkcs11::new(module)?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) | Ok(()) => Ok(context),
        Err(error) => Err(error),
    }
}

fn open(token: &Token, pin: &Zeroizing<String>) -> Result<Opened, Error> {
    let (session, key) = log_in(token, pin, false)?;
    let key = key.ok_or(Error::Pkcs11(RvError::KeyHandleInvalid, Function::FindObjects))?;
    Ok(Opened { session, key })
}

/// A session with the user logged in, and the key of the label where there is one.
fn log_in(
    token: &Token,
    pin: &Zeroizing<String>,
    to_write: bool,
) -> Result<(Session, Option<ObjectHandle>), Error> {
    let context = context(&token.module)?;
    let slots = context.get_slots_with_token()?;
    let slot = slots.into_iter().find(|slot| {
        context
            .get_token_info(*slot)
            .is_ok_and(|info| info.label().trim_end() == token.token)
    });
    let slot = slot.ok_or(Error::Pkcs11(RvError::TokenNotPresent, Function::GetTokenInfo))?;
    let session = match to_write {
        true => context.open_rw_session(slot)?,
        false => context.open_ro_session(slot)?,
    };
    let logged_in = session.login(UserType::User, Some(&AuthPin::from(pin.to_string())));
    match logged_in {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
        Err(error) => return Err(error),
    }
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::Label(token.key.as_bytes().to_vec()),
    ];
    let key = session.find_objects(&template)?.into_iter().next();
    Ok((session, key))
}

impl Opened {
    fn work(&self, work: &Work) -> Result<Zeroizing<Vec<u8>>, Error> {
        match work {
            Work::Wrap { place, secret } => {
                let mut iv = [0; IV_BYTES];
                getrandom::fill(&mut iv).map_err(|_| Error::InvalidValue)?;
                let written = iv;
                let gcm = GcmParams::new(&mut iv, place, TAG_BITS.into())?;
                let sealed = self.session.encrypt(&Mechanism::AesGcm(gcm), self.key, secret)?;
                Ok(Zeroizing::new([&[VERSION], written.as_slice(), &sealed].concat()))
            }
            Work::Unwrap { place, blob } => {
                let altered = || Error::Pkcs11(RvError::EncryptedDataInvalid, Function::Decrypt);
                let sealed = blob
                    .strip_prefix(&[VERSION])
                    .and_then(<[u8]>::split_first_chunk::<IV_BYTES>);
                let (iv, sealed) = sealed.ok_or_else(altered)?;
                let mut iv = *iv;
                let gcm = GcmParams::new(&mut iv, place, TAG_BITS.into())?;
                let open = self.session.decrypt(&Mechanism::AesGcm(gcm), self.key, sealed)?;
                Ok(Zeroizing::new(open))
            }
            Work::Health => {
                self.session.get_session_info()?;
                Ok(Zeroizing::new(Vec::new()))
            }
            // Done without an open key.
            Work::End => Err(Error::InvalidValue),
        }
    }
}

fn why(error: &Error) -> Why {
    match error {
        Error::Pkcs11(RvError::KeyFunctionNotPermitted, Function::DestroyObject) => Why::Unusable(
            "the token has several secret keys of this label; destroy them with its own program".to_owned(),
        ),
        Error::Pkcs11(RvError::ActionProhibited, Function::DestroyObject) => {
            Why::Denied("the token lets nobody destroy this key".to_owned())
        }
        Error::Pkcs11(
            RvError::EncryptedDataInvalid
            | RvError::EncryptedDataLenRange
            | RvError::DataInvalid,
            _,
        )
        // SoftHSM says so of a tag that is wrong.
        | Error::Pkcs11(RvError::GeneralError, Function::Decrypt) => Why::NotHere,
        Error::Pkcs11(
            RvError::PinIncorrect
            | RvError::PinLocked
            | RvError::PinExpired
            | RvError::KeyFunctionNotPermitted
            | RvError::UserNotLoggedIn,
            _,
        ) => Why::Denied(words(&error.to_string())),
        Error::Pkcs11(RvError::KeyHandleInvalid, Function::FindObjects) => {
            Why::Unusable("the token has no secret key of this label".to_owned())
        }
        Error::Pkcs11(RvError::TokenNotPresent, Function::GetTokenInfo) => {
            Why::Away("no token of this label is there".to_owned())
        }
        other => Why::Away(words(&other.to_string())),
    }
}

#[async_trait]
impl KeyProvider for Hardware {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    async fn wrap(&self, place: &KeyPlace, _: &Reason, secret: &[u8]) -> Result<Vec<u8>, HolderError> {
        let work = Work::Wrap {
            place: place.to_bytes(),
            secret: Zeroizing::new(secret.to_vec()),
        };
        Ok(self.ask(work).await?.to_vec())
    }

    async fn unwrap(
        &self,
        place: &KeyPlace,
        _: &Reason,
        blob: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HolderError> {
        let work = Work::Unwrap {
            place: place.to_bytes(),
            blob: blob.to_vec(),
        };
        self.ask(work).await
    }

    async fn health(&self) -> Result<Health, HolderError> {
        self.ask(Work::Health).await?;
        Ok(Health {
            kind: "hardware module, PKCS#11".to_owned(),
            weakness: None,
        })
    }

    async fn names_key(&self) -> Result<String, HolderError> {
        Ok(format!(
            "secret key `{}` of token `{}`",
            self.token.key, self.token.token
        ))
    }

    /// `C_DestroyObject`, at once.
    async fn end(&self, _: &EndOrder) -> Result<Ended, HolderError> {
        let answer = self.ask(Work::End).await?;
        let destroyed = answer.first() == Some(&1);
        Ok(Ended {
            said: serde_json::json!({
                "C_DestroyObject": if destroyed { "CKR_OK" } else { "not called: no key of this label was there" },
                "keys of this label left": 0,
            }),
            gone_at: None,
        })
    }
}
