//! Who and what appears in the chats: the company, its agents, departments, channels and flows, the contacts, and what they say.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub const COMPANY_ID: i64 = 15_691;
pub const BOT_ID: i64 = 9_001;
pub const BOT_NAME: &str = "Assistente Virtual";
pub const PHOTO: &str = "https://c.pzw.io/img/avatar-user-boy.jpg";

/// An agent of the company, by number from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agent(pub u32);

impl Agent {
    pub fn id(self) -> i64 {
        40_000 + i64::from(self.0)
    }

    pub fn name(self) -> String {
        let number = self.0 as usize;
        format!(
            "{} {}",
            FIRST_NAMES[number % FIRST_NAMES.len()],
            LAST_NAMES[(number / FIRST_NAMES.len() + number) % LAST_NAMES.len()]
        )
    }

    pub fn email(self) -> String {
        format!("agente{}@empresa.example", self.id())
    }
}

#[derive(Debug)]
pub struct Department {
    pub id: i64,
    pub name: &'static str,
}

pub static DEPARTMENTS: [Department; 5] = [
    Department {
        id: 30_640,
        name: "Comercial",
    },
    Department {
        id: 30_641,
        name: "Financeiro",
    },
    Department {
        id: 30_642,
        name: "Suporte Técnico",
    },
    Department {
        id: 30_643,
        name: "Pós-venda",
    },
    Department {
        id: 30_644,
        name: "Retenção",
    },
];

#[derive(Debug)]
pub struct Tabulation {
    pub id: i64,
    pub name: &'static str,
}

pub static TABULATIONS: [Tabulation; 4] = [
    Tabulation {
        id: 771,
        name: "Resolvido",
    },
    Tabulation {
        id: 772,
        name: "Dúvida esclarecida",
    },
    Tabulation {
        id: 773,
        name: "Sem solução",
    },
    Tabulation {
        id: 774,
        name: "Venda concluída",
    },
];

pub const WORKFLOW_ID: i64 = 6_074;
pub const WORKFLOW_NAME: &str = "Funil de atendimento";

#[derive(Debug)]
pub struct Step {
    pub id: i64,
    pub name: &'static str,
}

pub static STEPS: [Step; 4] = [
    Step {
        id: 7_610,
        name: "Triagem",
    },
    Step {
        id: 7_611,
        name: "Em análise",
    },
    Step {
        id: 7_612,
        name: "Aguardando cliente",
    },
    Step {
        id: 7_613,
        name: "Concluído",
    },
];

#[derive(Debug)]
pub struct Flow {
    pub id: i64,
}

pub static MENU: Flow = Flow { id: 70_582 };
pub static SECOND_MENU: Flow = Flow { id: 70_583 };
pub static FORM: Flow = Flow { id: 70_590 };
pub static SURVEY: Flow = Flow { id: 70_601 };

#[derive(Debug)]
pub struct Channel {
    pub id: i64,
    pub uuid: &'static str,
    pub name: &'static str,
    /// As messages spell it.
    pub kind: &'static str,
    /// As the channel object spells it.
    pub object_type: &'static str,
    /// The receiving number, where there is one.
    pub entrypoint: Option<&'static str>,
}

pub static CHANNELS: [Channel; 6] = [
    Channel {
        id: 51,
        uuid: "7b1413d6-2e67-43f8-a015-0542c62f7854",
        name: "WhatsApp Loja",
        kind: "whatsapp-enterprise",
        object_type: "Whatsapp-enterprise",
        entrypoint: Some("551140028922"),
    },
    Channel {
        id: 52,
        uuid: "298745b9-6af7-4e8b-a2d6-719b6b9b9ddd",
        name: "Huggy Chat",
        kind: "widget",
        object_type: "Widget",
        entrypoint: None,
    },
    Channel {
        id: 53,
        uuid: "dfab45f1-a203-3ffe-be44-2fafa6c88476",
        name: "Instagram",
        kind: "instagram",
        object_type: "Instagram",
        entrypoint: None,
    },
    Channel {
        id: 54,
        uuid: "0c3f0f6e-52f0-4b1c-9a57-7c3c51d2d0aa",
        name: "Telegram",
        kind: "telegram_bot",
        object_type: "Telegram_bot",
        entrypoint: None,
    },
    Channel {
        id: 55,
        uuid: "5a1de2c7-8f4b-4df7-a4a2-5b8a5d0b7c11",
        name: "Atendimento por e-mail",
        kind: "email",
        object_type: "Email",
        entrypoint: None,
    },
    Channel {
        id: 56,
        uuid: "e2b7d0c4-11aa-4c25-8c8e-90c1a6f3e5b2",
        name: "Messenger",
        kind: "messenger",
        object_type: "Messenger",
        entrypoint: None,
    },
];

/// Who takes part in one chat, and where.
#[derive(Debug)]
pub struct Cast {
    pub chat_id: i64,
    pub contact: Contact,
    pub channel: &'static Channel,
}

#[derive(Debug)]
pub struct Contact {
    pub id: i64,
    /// Whether this chat is the contact's first.
    pub is_new: bool,
    pub name: String,
    pub mobile: Option<String>,
    pub email: Option<String>,
}

/// Contacts who come back are drawn from the ids below this many; new ones follow by the chat's index.
const KNOWN_CONTACTS: u64 = 50_000;

impl Cast {
    pub fn draw(chat: u64, chats: u64, stream: &mut ChaCha8Rng) -> Self {
        let weighted = [0, 0, 0, 0, 1, 1, 1, 2, 3, 4, 5];
        let is_new = stream.random_bool(0.35);
        let known = stream.random_range(0..(chats / 2).clamp(1, KNOWN_CONTACTS));
        let number = if is_new { KNOWN_CONTACTS + chat } else { known };
        Cast {
            chat_id: 21_000_000 + chat as i64,
            contact: Contact::numbered(number, is_new),
            channel: &CHANNELS[weighted[stream.random_range(0..weighted.len())]],
        }
    }
}

impl Contact {
    /// A contact looks the same in every chat: all of it follows from the number.
    fn numbered(number: u64, is_new: bool) -> Self {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let first = FIRST_NAMES[(mixed % FIRST_NAMES.len() as u64) as usize];
        let last = LAST_NAMES[(mixed / 64 % LAST_NAMES.len() as u64) as usize];
        Contact {
            id: 1_800_000 + number as i64,
            is_new,
            name: if mixed.is_multiple_of(17) {
                format!("L{}", mixed * 7_919)
            } else {
                format!("{first} {last}")
            },
            mobile: (!mixed.is_multiple_of(4)).then(|| format!("+55119{:08}", mixed % 100_000_000)),
            email: mixed
                .is_multiple_of(3)
                .then(|| format!("contato{number}@correio.example")),
        }
    }

    pub fn first_name(&self) -> &str {
        self.name.split(' ').next().unwrap_or(&self.name)
    }
}

pub const FIRST_NAMES: [&str; 16] = [
    "João",
    "Amanda",
    "Patrícia",
    "Carlos",
    "Conceição",
    "Thaís",
    "Luís",
    "Antônio",
    "Beatriz",
    "Igor",
    "Kivya",
    "Zoë",
    "Márcio",
    "Íris",
    "Otávio",
    "Ana",
];
pub const LAST_NAMES: [&str; 13] = [
    "Silva",
    "Araújo",
    "Gonçalves",
    "Muniz",
    "D'Ávila",
    "Magalhães",
    "Assunção",
    "Brandão",
    "Lemos",
    "Peçanha",
    "Ybarra",
    "Köhler",
    "Simões",
];
