//! What Koigate itself says to a person, through the bot. Chinese first, since most readers are; short, and
//! without any address, backend or secret.

/// No valid token.
pub const UNAUTHORIZED: &str = "回调地址里没有有效的令牌 (no valid token)";
/// The caller's address may not send hooks.
pub const FORBIDDEN: &str = "这个来源地址不能发送回调 (hooks from this address are not accepted)";
/// No hook lives at this path.
pub const NOT_FOUND: &str = "没有这个回调地址 (no such hook)";
/// A hook is a POST.
pub const METHOD: &str = "只接受 POST (only POST is accepted)";
/// The body is larger than `max_body`.
pub const BODY_TOO_LARGE: &str = "回调内容过大 (body too large)";
/// The kind can't be told from the URL, and the body is no JSON object.
pub const NO_KIND: &str =
    "无法识别回调类型：内容不是 JSON 对象 (unknown kind of hook: the body is no JSON object)";
/// Too many hooks, connections or bytes at once.
pub const OVERLOADED: &str = "网关繁忙，请稍后再试 (too much at once, try again)";
/// The hook has come round.
pub const LOOP: &str = "回调形成了循环，请检查后端地址 (the hook has come round in a loop)";
/// Broken HTTP.
pub const BAD_REQUEST: &str = "无效的请求 (bad request)";
/// HTTP in the clear, where TLS is spoken.
pub const TLS_ONLY: &str = "这个地址只接受 HTTPS (only HTTPS is spoken here)";
/// Two backends disagree, and `on_conflict` is `"reject"`.
pub const CONFLICT: &str = "回调服务给出了互相冲突的修改 (callback services made conflicting changes)";
/// Something of ours broke.
pub const INTERNAL: &str = "网关内部错误 (internal error of the gateway)";
/// The default of `failure_message`.
pub const FAILURE: &str = "回调服务暂时不可用，请稍后再试 (a callback service is unavailable)";
