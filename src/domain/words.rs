//! The words for people: what each status means, and what each notification says, in Portuguese and English. Codes are
//! published and stable, words are not. Nothing here names a person, a number or a code to scan.

use bytes::Bytes;
use serde_json::json;

use super::error::Error;
use super::ids::InstanceName;
use super::instance::{Status, View};
use super::lifecycle::{Notice, reason};

/// The same words in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Words {
    /// Brazilian Portuguese.
    #[schema(value_type = String)]
    pub pt: &'static str,
    #[schema(value_type = String)]
    pub en: &'static str,
}

/// The sentence beside `statusReason`.
pub type StatusText = Words;

const fn words(pt: &'static str, en: &'static str) -> Words {
    Words { pt, en }
}

/// One sentence that says why and, where somebody must act, what to do: by the reason, or where there is none or an
/// unknown one, by the status.
pub fn status_text(view: &View) -> StatusText {
    view.reason.as_deref().and_then(by_reason).unwrap_or_else(|| by_status(view.status))
}

#[rustfmt::skip]
fn by_reason(code: &str) -> Option<Words> {
    Some(match code {
        reason::REMOVED => words("A instância foi excluída. Conecte para começar de novo.", "The instance was deleted. Connect to begin again."),
        reason::QR_LIMIT => words("Ninguém leu o código; pausamos os códigos. Gere um novo.", "Nobody scanned; codes are paused. Make a new one."),
        reason::PAIRING_TIMED_OUT => words("O código foi lido, mas a conexão não abriu. Conecte de novo.", "The code was scanned, but the connection did not open. Connect again."),
        reason::RECONNECTING_SILENTLY => words("Uma queda curta; deve voltar em segundos.", "A short drop; it should be back in seconds."),
        reason::WHATSAPP_UNREACHABLE => words("Sem caminho até o WhatsApp (rede ou DNS); volta sozinha.", "No way to reach WhatsApp (network or DNS); it returns by itself."),
        reason::DEVICE_REMOVED => words("O aparelho foi removido no celular. Leia um novo código.", "The device was removed on the phone. Scan a new code."),
        reason::LOGGED_OUT_AT_EVOLUTION => words("Alguém desvinculou direto na Evolution. Leia um novo código.", "Somebody unlinked it at Evolution itself. Scan a new code."),
        reason::BY_OWNER => words("Desvinculada por aqui.", "Unlinked from here."),
        reason::TEMPORARY_BAN => words("Bloqueio temporário pelo WhatsApp, sem prazo informado.", "Temporary block by WhatsApp, no end given."),
        reason::ACCOUNT_BLOCKED => words("Conta bloqueada, ou o celular principal saiu. Abra o WhatsApp no celular.", "Account blocked, or the main phone is gone. Open WhatsApp on the phone."),
        reason::ACCOUNT_BANNED => words("Conta banida pelo WhatsApp. Peça revisão no celular.", "Account banned by WhatsApp. Ask for a review on the phone."),
        reason::UPGRADE_EVOLUTION => words("A versão do servidor ficou velha para o WhatsApp. Atualize a Evolution.", "The server version is too old for WhatsApp. Update Evolution."),
        reason::OPENED_ELSEWHERE => words("Outro sistema abriu este mesmo vínculo; não vamos disputar.", "Another system opened this same link; we do not fight it."),
        reason::TIMED_OUT => words("O WhatsApp não respondeu a tempo; estamos tentando de novo.", "WhatsApp did not answer in time; we are trying again."),
        reason::SIGN_IN_AGAIN => words("O WhatsApp pediu para entrar de novo.", "WhatsApp asked to sign in again."),
        reason::CONNECTION_CLOSED => words("A rede fechou a conexão; estamos tentando de novo.", "The network closed the connection; we are trying again."),
        reason::SESSION_ERROR => words("Erro na conversa com o WhatsApp; estamos tentando de novo.", "Error while talking to WhatsApp; we are trying again."),
        reason::WHATSAPP_UNAVAILABLE => words("O WhatsApp está fora do ar; estamos tentando de novo.", "WhatsApp is unavailable; we are trying again."),
        reason::EVOLUTION_NOT_CONFIGURED => words("Falta configurar a Evolution neste servidor.", "Evolution is not configured on this server yet."),
        reason::EVOLUTION_UNREACHABLE => words("A Evolution não respondeu; não é o celular.", "Evolution did not answer; it is not the phone."),
        reason::EVOLUTION_REFUSED => words("A Evolution recusou o pedido; veja o detalhe com quem opera o servidor.", "Evolution refused the request; ask the operator for the detail."),
        reason::NO_CODE => words("A Evolution não gerou um código a tempo. Tente de novo.", "Evolution made no code in time. Try again."),
        reason::WEBHOOK_SILENT => words("A Evolution gerou o código, mas o aviso não chegou aqui. Quem opera o servidor deve conferir WEBHOOK_URL.", "Evolution made a code, but its webhook did not arrive here. Whoever runs the server should check WEBHOOK_URL."),
        reason::UNLINKING => words("Desvinculando o celular; falta a confirmação.", "Unlinking the phone; not confirmed yet."),
        reason::REMOVING => words("Excluindo; falta a confirmação.", "Deleting; not confirmed yet."),
        reason::UNCONFIRMED => words("O último pedido não foi confirmado pela Evolution. Tente de novo.", "Evolution did not confirm the last request. Try again."),
        reason::WAITING_FOR_WIPE => words("Esperando a conexão anterior terminar, até meio minuto.", "Waiting for the connection before to end, half a minute at most."),
        reason::SESSION_WIPED => words("Funciona, mas a sessão guardada se perdeu: na próxima queda será preciso ler um código. Conecte de novo quando puder.", "It works, but the stored session is lost: the next drop will need a new code. Connect again when you can."),
        reason::PASSKEY => words("A conta pede uma chave de acesso. Abra o WhatsApp no celular, confirme e leia o código de novo.", "The account asks for a passkey. Open WhatsApp on the phone, confirm, and scan the code again."),
        _ => return None,
    })
}

#[rustfmt::skip]
fn by_status(status: Status) -> Words {
    match status {
        Status::Connected => words("Mensagens entrando e saindo.", "Messages flow both ways."),
        Status::Connecting => words("Abrindo a conexão; costuma levar segundos.", "Opening the connection; usually seconds."),
        Status::WaitingQr => words("Há um código na tela de quem vai conectar.", "A code is on the screen of whoever connects."),
        Status::Finishing => words("Código lido; deixe o WhatsApp aberto enquanto o celular envia as chaves.", "Code scanned; keep WhatsApp open while the phone sends its keys."),
        Status::Reconnecting => words("A conexão caiu e estamos tentando de novo.", "The connection dropped and we are trying again."),
        Status::Flapping => words("Cai e volta várias vezes; espaçamos as tentativas.", "It keeps dropping and returning; tries are spaced out."),
        Status::ActionRequired => words("A conta pede uma chave de acesso. Confirme no celular.", "The account asks for a passkey. Confirm on the phone."),
        Status::LoggedOut => words("O aparelho foi desvinculado. Leia um novo código.", "The device was unlinked. Scan a new code."),
        Status::Conflict => words("Outro sistema usa este mesmo vínculo; não vamos disputar.", "Another system uses this same link; we do not fight it."),
        Status::Restricted => words("O WhatsApp limitou esta conta, sem prazo informado.", "WhatsApp has limited this account, no end given."),
        Status::Failed => words("As tentativas acabaram sem sucesso.", "The tries ended without success."),
        Status::Disconnected => words("Nenhum celular vinculado.", "No phone is linked."),
    }
}

/// What a notification says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticeText {
    /// `info`, `warning` or `critical`.
    pub level: &'static str,
    /// Published (INTERFACE §4).
    pub code: &'static str,
    pub title: Words,
    pub message: Words,
    pub action: Option<NextStep>,
}

/// The one thing to do: a request of this gateway's own API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextStep {
    pub label: Words,
    pub method: &'static str,
    pub href: &'static str,
}

const CONNECT: &str = "/api/whatsapp/connect";
const RECONNECT: &str = "/api/whatsapp/reconnect";

/// The words of a notification; the message is the status's own sentence, so that both say the same.
#[rustfmt::skip]
pub fn notice(notice: Notice, view: &View) -> NoticeText {
    let post = |label, href| Some(NextStep { label, method: "POST", href });
    let (level, code, title, action) = match notice {
        Notice::Connected => ("info", "connected", words("WhatsApp conectado", "WhatsApp connected"), None),
        Notice::Reconnected => ("info", "reconnected", words("A conexão voltou", "The connection is back"), None),
        Notice::LoggedOut => ("critical", "logged_out", words("WhatsApp desvinculado", "WhatsApp unlinked"), post(words("Conectar de novo", "Connect again"), CONNECT)),
        Notice::Conflict => ("critical", "conflict", words("Aberto em outro lugar", "Open elsewhere"), post(words("Usar aqui", "Use here"), RECONNECT)),
        Notice::Restricted => ("critical", "restricted", words("Conta restrita pelo WhatsApp", "Account restricted by WhatsApp"), None),
        Notice::ActionRequired => ("warning", "action_required", words("Falta um passo no celular", "One more step on the phone"), None),
        Notice::Wiped => ("warning", "instance_unhealthy", words("A sessão guardada se perdeu", "The stored session is lost"), post(words("Conectar de novo", "Connect again"), CONNECT)),
        Notice::QrLimit => ("warning", "qr_limit", words("Códigos pausados", "Codes paused"), post(words("Gerar novo código", "Make a new code"), CONNECT)),
    };
    NoticeText { level, code, title, message: status_text(view), action }
}

/// Why webhooks are being refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// For good: nothing proves them.
    Unproven,
    /// Until they are given up, which Evolution does after about 20 minutes.
    TooLarge,
    /// For good: an ending that could not be stored (INTERFACE §3, 422).
    Ending,
}

impl From<&Error> for Refusal {
    fn from(cause: &Error) -> Self {
        match cause {
            Error::TooLarge { .. } => Self::TooLarge,
            Error::EndingNotStored => Self::Ending,
            _ => Self::Unproven,
        }
    }
}

/// The words of the alert that webhooks are being refused.
#[rustfmt::skip]
pub const fn refusal(why: Refusal) -> NoticeText {
    let (title, message) = match why {
        Refusal::Unproven => (words("Eventos recusados", "Events refused"), words("Chegou um evento sem prova válida de que vem da Evolution. Ele não será reenviado; confira a chave do webhook.", "An event came without valid proof that Evolution sent it. It will not be sent again; check the webhook's key.")),
        Refusal::TooLarge => (words("Evento grande demais", "Event too large"), words("A Evolution enviou um evento maior que WEBHOOK_MAX_BYTES, ou que 1 MiB num endereço comum a todos. Ela tenta de novo por 20 minutos: aumente o limite, ou use /api/webhook/user/….", "Evolution sent an event larger than WEBHOOK_MAX_BYTES, or than 1 MiB to an address shared by all. It tries again for 20 minutes: raise the limit, or use /api/webhook/user/….")),
        Refusal::Ending => (words("Desconexão não gravada", "Disconnection not stored"), words("A Evolution avisou que esta sessão terminou, mas o aviso não pôde ser gravado e não será reenviado. O estado será lido da Evolution; confira-o no painel.", "Evolution told that this session has ended, but that could not be stored and will not be sent again. The state will be read from Evolution; look at the dashboard.")),
    };
    NoticeText { level: "critical", code: "webhook_refused", title, message, action: None }
}

impl NoticeText {
    /// The `data` of the `notification` frame (INTERFACE §4): Portuguese, with the English beside it in `…En`.
    pub fn frame_data(&self, instance: &InstanceName) -> Bytes {
        let action = self.action.map(|action| {
            let NextStep { label, method, href } = action;
            json!({ "label": label.pt, "labelEn": label.en, "method": method, "href": href })
        });
        let data = json!({
            "instanceName": instance.as_str(),
            "level": self.level,
            "code": self.code,
            "title": self.title.pt,
            "titleEn": self.title.en,
            "message": self.message.pt,
            "messageEn": self.message.en,
            "action": action,
        });
        Bytes::from(data.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(status: Status, reason: Option<&str>) -> View {
        View { status, reason: reason.map(str::to_owned), ..View::default() }
    }

    #[test]
    fn a_known_reason_speaks_and_an_unknown_one_leaves_it_to_the_status() {
        let removed = status_text(&view(Status::LoggedOut, Some(reason::DEVICE_REMOVED)));
        let unknown = status_text(&view(Status::LoggedOut, Some("quite_new")));

        assert_eq!(removed.en, "The device was removed on the phone. Scan a new code.");
        assert_eq!(unknown, by_status(Status::LoggedOut));
    }

    #[test]
    fn a_notification_frame_is_portuguese_with_the_english_beside_it_and_one_next_step() {
        let instance = InstanceName::parse("user_123").unwrap();
        let text = notice(Notice::LoggedOut, &view(Status::LoggedOut, Some(reason::DEVICE_REMOVED)));

        let data: serde_json::Value = serde_json::from_slice(&text.frame_data(&instance)).unwrap();

        assert_eq!(
            data,
            json!({
                "instanceName": "user_123",
                "level": "critical",
                "code": "logged_out",
                "title": "WhatsApp desvinculado",
                "titleEn": "WhatsApp unlinked",
                "message": "O aparelho foi removido no celular. Leia um novo código.",
                "messageEn": "The device was removed on the phone. Scan a new code.",
                "action": {
                    "label": "Conectar de novo",
                    "labelEn": "Connect again",
                    "method": "POST",
                    "href": "/api/whatsapp/connect",
                },
            })
        );
    }

    #[test]
    fn a_restriction_offers_no_retry() {
        let text = notice(Notice::Restricted, &view(Status::Restricted, Some(reason::TEMPORARY_BAN)));

        assert_eq!(text.action, None);
    }
}
