// A SMART app by fhirclient: `node app.mjs BASE CLIENT SCOPE` prints its address; `/launch` begins, `/app` is where it ends.
import http from "node:http";
import smart from "fhirclient";

const [iss, clientId, scope] = process.argv.slice(2);
const kept = new Map();
const storage = {
  get: async (key) => kept.get(key),
  set: async (key, value) => (kept.set(key, value), value),
  unset: async (key) => kept.delete(key),
};

async function answered(request, response) {
  const path = new URL(request.url, "http://127.0.0.1").pathname;
  const api = smart(request, response, storage);
  if (path === "/launch") return api.authorize({ clientId, scope, redirectUri: "/app", iss, pkceMode: "required" });
  const client = await api.ready();
  const found = await client.request("Observation");
  const { access_token: before, refresh_token: first } = client.state.tokenResponse;
  await client.refresh();
  const { access_token: after, refresh_token: second } = client.state.tokenResponse;
  const again = await client.request("Observation");
  response.end(JSON.stringify({
    patient: client.patient.id,
    fhirUser: client.user.fhirUser,
    name: (await client.patient.read()).name[0].family,
    total: [found.total, again.total],
    replaced: [before !== after, first !== second],
  }));
}

const server = http.createServer((request, response) =>
  answered(request, response).catch((error) => {
    response.statusCode = 500;
    response.end(JSON.stringify({ error: String(error) }));
  }));
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
