// What a user of fhir-kit-client writes; prints one JSON object. Arguments: FHIR base, token.
import { Client } from 'fhir-kit-client';

const [baseUrl, token] = process.argv.slice(2);
const client = new Client({ baseUrl });
client.bearerToken = token;

const family = [];
for (const given of ['Camille', 'Erik', 'Gabriel', 'Lili', 'Nadia']) {
  const body = { resourceType: 'Patient', name: [{ family: 'Kit', given: [given] }] };
  family.push((await client.create({ resourceType: 'Patient', body })).id);
}

const search = async (resourceType, searchParams, options) =>
  client.resourceSearch({ resourceType, searchParams, options });
const ids = (bundle) => (bundle.entry ?? []).map(({ resource }) => resource.id);
const types = (bundle) => bundle.entry.map(({ resource }) => resource.resourceType);

const subject = { reference: `Patient/${family[0]}` };
const code = { coding: [{ system: 'http://loinc.org', code: '718-7' }] };
const transaction = await client.transaction({
  body: {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      {
        resource: { resourceType: 'Observation', status: 'final', code, subject },
        request: { method: 'POST', url: 'Observation' },
      },
    ],
  },
});

const patched = await client.patch({
  resourceType: 'Patient',
  id: family[0],
  jsonPatch: [{ op: 'add', path: '/gender', value: 'male' }],
  options: { headers: { 'If-Match': 'W/"1"' } },
});

const pages = [];
for (let page = await search('Patient', { family: 'Kit', _sort: 'given', _count: 2 }); page; ) {
  pages.push(ids(page));
  page = await client.nextPage({ bundle: page });
}

const updated = await client.update({
  resourceType: 'Patient',
  id: family[1],
  body: { resourceType: 'Patient', id: family[1], active: false },
});
await client.delete({ resourceType: 'Patient', id: family[4] });
const gone = await client.read({ resourceType: 'Patient', id: family[4] }).catch((error) => error.response);

console.log(
  JSON.stringify({
    family,
    version: (await client.capabilityStatement()).fhirVersion,
    read: (await client.read({ resourceType: 'Patient', id: family[2] })).name,
    search: ids(await search('Patient', { family: 'kit', given: 'gabriel' })),
    posted: ids(await search('Patient', { family: 'kit', given: 'gabriel' }, { postSearch: true })),
    include: types(await search('Observation', { subject: subject.reference, _include: 'Observation:subject' })),
    compartment: types(
      await client.compartmentSearch({
        resourceType: 'Observation',
        compartment: { resourceType: 'Patient', id: family[0] },
      }),
    ),
    transaction: transaction.entry.map(({ response }) => response.status.slice(0, 3)),
    patched: patched.gender,
    pages,
    updated: updated.meta.versionId,
    gone: [gone.status, gone.data.resourceType],
    history: (await client.history({ resourceType: 'Patient', id: family[0] })).total,
    everything: types(await client.operation({ resourceType: 'Patient', id: family[0], name: '$everything', method: 'GET' })),
  }),
);
