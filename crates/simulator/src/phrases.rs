//! What is said in the chats.

/// A sentence, in which `{}` stands for the number.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    pub template: &'static str,
    pub number: u32,
}

impl Text {
    pub fn body(self) -> String {
        self.template.replace("{}", &self.number.to_string())
    }
}

pub const OPENINGS: [&str; 8] = [
    "Olá, bom dia! 😊",
    "Oi, tudo bem?",
    "Preciso de ajuda com o pedido nº {}",
    "Boa tarde, não consigo acessar minha conta",
    "Quero a 2ª via do boleto, por favor",
    "Alô?? 👋🏽 Alguém aí?",
    "O produto \"Caixa d'água {}L\" ainda está disponível?",
    "Minha entrega está atrasada.\nProtocolo: {}",
];
pub const MENUS: [&str; 3] = [
    "Bem-vindo! 🤖 Escolha uma opção:\n1 - Comercial\n2 - Financeiro\n3 - Suporte técnico",
    "Olá! Sou a assistente virtual. Em que posso ajudá-lo(a)?",
    "Para começar, informe seu CPF ou o número do pedido.",
];
pub const CHOICES: [&str; 5] = ["1", "2", "{}", "quero falar com atendente", "opção 3 ✅"];
pub const BOT_ANSWERS: [&str; 4] = [
    "Certo! Um momento, por favor…",
    "Seu boleto está em https://boletos.example/{}?via=2",
    "Pedido {}: saiu para entrega 🚚",
    "Anotado. Vou transferi-lo(a) para um atendente.",
];
pub const QUEUE_NOTICES: [&str; 3] = [
    "Você é o nº {} da fila. Aguarde um instante ⏳",
    "Todos os atendentes estão ocupados. Não desista!",
    "Obrigado por aguardar. Sua posição: {}",
];
pub const IMPATIENCE: [&str; 4] = [
    "Ainda estou aguardando…",
    "??",
    "Vai demorar muito? 😠",
    "Já faz {} minutos",
];
pub const QUESTIONS: [&str; 7] = [
    "Qual o prazo de entrega para o CEP {}?",
    "Não entendi, pode explicar de novo?",
    "O valor cobrado foi R$ {},90, está errado",
    "Segue o comprovante em anexo 📎",
    "C:\\Pedidos\\{}.pdf não abre aqui",
    "E se eu quiser <b>cancelar</b> & receber de volta?",
    "É possível trocar o tamanho? 👗",
];
pub const REPLIES: [&str; 6] = [
    "Claro. Vamos lá!",
    "Vou verificar no sistema, só um instante.",
    "Sua solicitação nº {} foi registrada ✔️",
    "Pode me confirmar o e-mail cadastrado?",
    "O prazo é de até {} dias úteis.",
    "Já corrigi aqui, pode testar novamente? 🙏",
];
pub const GREETINGS: [&str; 3] = [
    "Olá! Em que posso ajudar?",
    "Boa tarde, aqui é do atendimento 😊",
    "Oi! Assumi seu atendimento nº {}.",
];
pub const NOTES: [&str; 3] = [
    "Cliente já ligou {} vezes hoje",
    "verificar cadastro com o financeiro",
    "⚠️ atenção: cliente VIP",
];
pub const CAMPAIGNS: [&str; 3] = [
    "Olá! Seu pedido {} está pronto para retirada 🎉",
    "Oi, temos uma condição especial para você: {}% de desconto",
    "Bom dia! Conseguimos resolver seu chamado {}?",
];
pub const THANKS: [&str; 4] = [
    "Obrigado!",
    "Valeu 👍",
    "Perfeito, muito obrigada pela atenção ❤️",
    "ok",
];
pub const FAREWELLS: [&str; 3] = [
    "Disponha! Estou encerrando o atendimento.",
    "Qualquer coisa é só chamar. Até mais!",
    "Atendimento {} encerrado. Obrigado!",
];
pub const SURVEYS: [&str; 2] = [
    "De 0 a 10, que nota você dá para este atendimento?",
    "Avalie: ⭐ a ⭐⭐⭐⭐⭐",
];
pub const GOODBYES: [&str; 2] = [
    "Obrigado pela avaliação! 💚",
    "Sua opinião é muito importante.",
];
