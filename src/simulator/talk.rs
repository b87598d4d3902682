//! What the sample users and their customers write. Every name and number is invented.

use super::Message;
use Turn::{Answers, Corrects, InGroup, OnPhone, Reacts, Says, Sends};

/// A customer, under the name that WhatsApp shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    pub(super) name: &'static str,
    /// Digits with country code.
    pub(super) phone: &'static str,
}

/// One step of a talk.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    Says(Person, &'static str),
    /// In a group that the user is in.
    InGroup(Person, &'static str),
    /// Something that is not text.
    Sends(Person, fn() -> Message),
    /// Changes the text that this person said last.
    Corrects(Person, &'static str),
    /// An emoji on the last answer.
    Reacts(Person, &'static str),
    /// The user answers through the API; it is delivered and read.
    Answers(Person, &'static str),
    /// The user answers from the phone itself.
    OnPhone(Person, &'static str),
}

const fn person(name: &'static str, phone: &'static str) -> Person {
    Person { name, phone }
}

const MARINA: Person = person("Marina Alves", "5511900001001");
const TIAGO: Person = person("Tiago Ramos", "5511900001002");
const DONA_LU: Person = person("Dona Lu", "5511900001003");
const RAFAEL: Person = person("Rafael Nunes", "5521900002001");
const SONIA: Person = person("Sônia Prado", "5521900002002");
const OMAR: Person = person("عمر", "5521900002003");
const JULIA: Person = person("Júlia M.", "5531900003001");
const PEDRO: Person = person("Pedro Reis", "5531900003002");
const CLARA: Person = person("Clara", "5531900003003");

const BAKERY: &[Turn] = &[
    Says(MARINA, "Bom dia! Vocês abrem no sábado?"),
    Answers(MARINA, "Bom dia, Marina! Abrimos às 6h30, com pão quentinho 🥖"),
    Says(TIAGO, "Quero encomendar um bolo de cenoura para 20 pessoas"),
    Sends(TIAGO, || Message::Image("Parecido com este".into())),
    Reacts(MARINA, "❤️"),
    Answers(TIAGO, "Fazemos sim! Fica R$ 140,00. Para que dia?"),
    Says(TIAGO, "Sexta, às 15h"),
    Corrects(TIAGO, "Sexta, às 16h"),
    Reacts(TIAGO, "👍"),
    InGroup(DONA_LU, "A fornada das 17h já saiu"),
    Says(MARINA, "Guarda dois pães de queijo para mim?"),
    OnPhone(MARINA, "Guardado 😉"),
    Sends(DONA_LU, || Message::Audio),
    Answers(DONA_LU, "Anotado: 50 salgados, metade coxinha e metade empada."),
    Says(DONA_LU, "Isso mesmo!\nE um litro de suco de laranja"),
];

const CLINIC: &[Turn] = &[
    Says(RAFAEL, "Olá, preciso remarcar a consulta de quinta"),
    Answers(RAFAEL, "Claro, Rafael. Temos terça às 9h ou quarta às 14h30."),
    Says(RAFAEL, "Terça está ótimo"),
    Says(SONIA, "O exame de sangue precisa de jejum?"),
    Answers(SONIA, "Sim, de 8 horas. Água pode à vontade 💧"),
    Reacts(SONIA, "🙏"),
    Sends(SONIA, || Message::Document("pedido-de-exame.pdf".into())),
    Says(OMAR, "مرحبا، أين العيادة؟"),
    Answers(OMAR, "Rua das Acácias, 120, ao lado da praça."),
    Sends(OMAR, || Message::Location("Praça das Acácias".into())),
    OnPhone(RAFAEL, "A doutora confirmou: terça às 9h."),
    Says(SONIA, "Chego às 7h"),
    Corrects(SONIA, "Chego às 7h15"),
    Reacts(RAFAEL, "👍"),
];

const SHOP: &[Turn] = &[
    Says(JULIA, "Oi! Tem o vestido azul no M?"),
    Answers(JULIA, "Tem, sim! É o último 💙 Quer que eu separe?"),
    Says(JULIA, "Quero! Passo aí depois das 18h"),
    Sends(PEDRO, || Message::Image("Ainda tem este tênis?".into())),
    Answers(PEDRO, "Temos do 38 ao 42, por R$ 189,90."),
    Reacts(PEDRO, "🔥"),
    Says(CLARA, "Meu pedido já saiu?"),
    Answers(CLARA, "Saiu agora há pouco! Chega até as 17h 🛵"),
    Sends(CLARA, || Message::Poll("Qual embalagem para presente?".into())),
    Says(PEDRO, "Fico com o 41"),
    Corrects(PEDRO, "Fico com o 42"),
    InGroup(JULIA, "Gente, a liquidação começa amanhã!"),
    OnPhone(JULIA, "Separado no seu nome!"),
    Sends(CLARA, || Message::Audio),
];

/// A sample user's talk, by the user's place; it begins again at its end.
pub(super) fn of(place: usize) -> &'static [Turn] {
    [BAKERY, CLINIC, SHOP][place % 3]
}
