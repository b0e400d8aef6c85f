// Calls every operation that Twilio describes, through the unmodified twilio-node, at the emulator that EMULATOR names.
// Prints one JSON array a line: method, URL, status, body. tests/emulator/coverage.py reads them.
const twilio = require("twilio");

const { EMULATOR, ACCOUNT_SID, AUTH_TOKEN } = process.env;
const CUSTOMER = "+15550100001";
const NUMBER = "+15550100099";

class RedirectedClient extends twilio.RequestClient {
  async request(options) {
    const uri = options.uri.replace("https://conversations.twilio.com", EMULATOR);
    const response = await super.request({ ...options, uri });
    const body = response.body ? JSON.stringify(response.body) : "";
    const url = options.uri;
    console.log(JSON.stringify([options.method.toUpperCase(), url, response.statusCode, body]));
    return response;
  }
}

async function control(name, body) {
  const answer = await fetch(`${EMULATOR}/_emulator/${name}`, { method: "POST", body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${name}: ${await answer.text()}`);
  return answer.json();
}

async function exerciseConversation(world) {
  const { sid } = await world.conversations.create({ friendlyName: "Support" });
  const conversation = world.conversations(sid);
  await conversation.update({ attributes: "{}" });
  await conversation.fetch();
  await world.conversations.list();
  const phone = await conversation.participants.create({
    "messagingBinding.address": CUSTOMER,
    "messagingBinding.proxyAddress": NUMBER,
  });
  await conversation.participants(phone.sid).fetch();
  await conversation.participants(phone.sid).update({ lastReadMessageIndex: 0 });
  await conversation.participants.list();
  const message = await conversation.messages.create({ author: "support-bot", body: "hi" });
  await conversation.messages.list();
  await conversation.messages(message.sid).fetch();
  await conversation.messages(message.sid).update({ body: "hello" });
  await control("settle", {});
  const [receipt] = await conversation.messages(message.sid).deliveryReceipts.list();
  await conversation.messages(message.sid).deliveryReceipts(receipt.sid).fetch();
  const hook = await conversation.webhooks.create({
    target: "studio",
    "configuration.flowSid": "FW" + "0".repeat(32),
  });
  await conversation.webhooks(hook.sid).fetch();
  await conversation.webhooks(hook.sid).update({ "configuration.flowSid": "FW" + "1".repeat(32) });
  await conversation.webhooks.list();
  await world.participantConversations.list({ address: CUSTOMER });
  await conversation.webhooks(hook.sid).remove();
  await conversation.messages(message.sid).remove();
  await conversation.participants(phone.sid).remove();
  await exerciseGroup(world);
  await conversation.remove();
}

async function exerciseGroup(world) {
  const participant = ["ann", "ben", "eve"].map((identity) => JSON.stringify({ identity }));
  const group = await world.conversationWithParticipants.create({ participant });
  const user = world.users("ann");
  await user.userConversations.list();
  await user.userConversations(group.sid).fetch();
  await user.userConversations(group.sid).update({ notificationLevel: "muted" });
  await user.userConversations(group.sid).remove();
}

async function exercisePeople(world) {
  const user = await world.users.create({ identity: "zoe" });
  await world.users(user.sid).fetch();
  await world.users(user.sid).update({ friendlyName: "Zoe" });
  await world.users.list();
  await world.users(user.sid).remove();
  const role = await world.roles.create({ friendlyName: "agent", type: "service", permission: ["createConversation"] });
  await world.roles(role.sid).fetch();
  await world.roles(role.sid).update({ permission: ["joinConversation"] });
  await world.roles.list();
  await world.roles(role.sid).remove();
}

async function exerciseAccount(v1, service) {
  const address = await v1.addressConfigurations.create({ type: "sms", address: NUMBER, "autoCreation.enabled": true });
  await v1.addressConfigurations(address.sid).fetch();
  await v1.addressConfigurations(address.sid).update({ friendlyName: "desk" });
  await v1.addressConfigurations.list();
  await v1.addressConfigurations(address.sid).remove();
  for (const webhooks of [v1.configuration.webhooks(), service.configuration.webhooks()]) {
    await webhooks.fetch();
    await webhooks.update({ postWebhookUrl: "http://127.0.0.1:9/x", filters: ["onMessageAdded"] });
  }
  await service.configuration().fetch();
  await service.configuration().update({ reachabilityEnabled: true });
  await service.fetch();
  await v1.services.list();
  const other = await v1.services.create({ friendlyName: "Other" });
  await v1.services(other.sid).remove();
}

async function exercisePush(v1, service) {
  const credential = await v1.credentials.create({ type: "fcm", friendlyName: "phones", secret: "x" });
  await v1.credentials(credential.sid).fetch();
  await v1.credentials(credential.sid).update({ friendlyName: "all phones" });
  await v1.credentials.list();
  await v1.credentials(credential.sid).remove();
  await control("chat", { identity: "visitor", body: "hello" });
  const [binding] = await service.bindings.list({ identity: ["visitor"] });
  await service.bindings(binding.sid).fetch();
  await service.bindings(binding.sid).remove();
  await service.configuration.notifications().update({ "newMessage.enabled": true });
  await service.configuration.notifications().fetch();
}

async function main() {
  const client = twilio(ACCOUNT_SID, AUTH_TOKEN, { httpClient: new RedirectedClient() });
  const v1 = client.conversations.v1;
  const { defaultChatServiceSid } = await v1.configuration().fetch();
  await v1.configuration().update({ defaultInactiveTimer: "PT5M" });
  const service = v1.services(defaultChatServiceSid);
  for (const world of [v1, service]) {
    await exerciseConversation(world);
    await exercisePeople(world);
  }
  await exerciseAccount(v1, service);
  await exercisePush(v1, service);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
