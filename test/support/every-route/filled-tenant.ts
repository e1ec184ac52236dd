/** A tenant that has one of everything, made by the API. What only its surroundings can make (a CA's answers) they give. */
import { exportPrivateKeyPem } from '../../../src/pki/keys.ts'
import { formatPem } from '../../../src/pki/pem.ts'
import { nameDer, testLeaf, testRoot } from '../pki-hierarchy.ts'

export interface Reply {
  readonly status: number
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape.
  readonly json: any
}

/** Where a tenant is filled: the app inside the tests' process, or a service over HTTP. */
export interface Surroundings {
  request(method: string, path: string, options: { readonly token: string; readonly body?: unknown }): Promise<Reply>
  /** Of a CA that registers whoever asks. */
  readonly directoryUrl: string
  /** Epoch milliseconds, as the product sees it. */
  nowMs(): number
  /** A tls-alpn-01 challenge of that order, which waits for its owner. */
  challengeOf(own: { readonly token: string; readonly tenantId: string }, orderId: string): Promise<string>
  /** A certificate that came by that account. */
  acmeCertificate(own: {
    readonly token: string
    readonly tenantId: string
    readonly mark: string
    readonly account: string
  }): Promise<string>
  newTenant(): Promise<string>
  /** Has that zone count as verified. */
  verified(own: { readonly token: string; readonly tenantId: string }, zoneId: string): Promise<void>
  /** The token of an http-01 challenge that is answered here. */
  httpToken(tenantId: string): Promise<string>
  /** What a DNS provider is made of that serves the zones; `secret` has the field `api_token`. */
  provider(own: { readonly mark: string; readonly secret: string }): Readonly<Record<string, unknown>>
  /** Where a subscription of the tenant leads. */
  readonly hookUrl: string
  /** The id of a delivery of that subscription. */
  deliveryOf(own: { readonly token: string; readonly tenantId: string }, subscriptionId: string): Promise<string>
  /** Another zone that the provider serves, each time. */
  zoneName(tenantId: string): string
}

export interface FilledTenant {
  readonly tenantId: string
  /** Stands in every text that is this tenant's own, and in no name: names are the same in every tenant. */
  readonly mark: string
  /** Every scope but `operator`. */
  readonly token: string
  readonly ca: string
  readonly partitionedCa: string
  readonly role: string
  readonly certificate: string
  readonly serial: string
  readonly csr: string
  /** Without the mark: another tenant may bring the same one. */
  readonly csrPem: string
  readonly anchor: string
  readonly account: string
  readonly order: string
  readonly challenge: string
  readonly acmeCertificate: string
  readonly httpToken: string
  readonly provider: string
  readonly zone: string
  readonly subscription: string
  readonly delivery: string
  readonly hookUrl: string
  readonly verifiedZone: { readonly id: string; readonly name: string }
  readonly secret: string
  readonly storedToken: string
  readonly issuer: string
  readonly directoryUrl: string
  /** A zone that the provider serves and nobody has imported. */
  zoneName(): string
  /** A name that nothing of this tenant has; the n-th one is the same in every tenant. */
  freshName(): string
  newCa(more?: Readonly<Record<string, unknown>>): Promise<string>
  newRole(): Promise<string>
  newCertificate(): Promise<{ readonly id: string; readonly serial: string }>
  newCsr(): Promise<string>
  approvedCsr(): Promise<string>
  heldCertificate(): Promise<string>
  newAnchor(): Promise<string>
  newAccount(): Promise<string>
  newOrder(): Promise<string>
  newChallenge(): Promise<string>
  newProvider(): Promise<string>
  newZone(): Promise<string>
  newSubscription(): Promise<string>
  newAcmeCertificate(): Promise<string>
  newSecret(): Promise<string>
  newToken(): Promise<string>
  newIssuer(): Promise<string>
  /** Another tenant, for its operator. */
  newTenant(): Promise<string>
  /** A CA from elsewhere with its key, and a certificate from it. */
  fromElsewhere(): Promise<{ readonly caPem: string; readonly caKeyPem: string; readonly leafPem: string }>
  /** That CA, imported, and a certificate from it that is not. */
  newImportedCa(): Promise<{ readonly ca: string; readonly leafPem: string }>
}

/** Fills a tenant. The token has every scope but `operator`. */
export async function fillTenant(
  around: Surroundings,
  tenantId: string,
  token: string,
  mark: string,
): Promise<FilledTenant> {
  let names = 0
  const freshName = (): string => {
    names += 1
    return `name-${names}`
  }
  const made = async (method: string, path: string, body: unknown): Promise<Reply['json']> => {
    const reply = await around.request(method, path, { token, body })
    if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`)
    return reply.json
  }
  const post = (path: string, body: unknown = {}): Promise<Reply['json']> => made('POST', path, body)

  const newCa = async (more: Readonly<Record<string, unknown>> = {}): Promise<string> => {
    const body = { name: freshName(), common_name: `${mark} CA`, ca_type: 'root', key_type: 'ec', ...more }
    return (await post('/v1/pki/ca', body)).id
  }
  const ca = await newCa()
  const partitionedCa = await newCa({ crl_partitions: 2 })
  for (const id of [ca, partitionedCa]) await post(`/v1/pki/ca/${id}/crl`)

  const newRole = async (): Promise<string> => {
    const body = { name: freshName(), ca_id: ca, allow_any_name: true, key_type: 'ec', store_private_keys: true }
    return (await post('/v1/pki/roles', body)).name
  }
  const role = await newRole()
  const newLeaf = async () => {
    const leaf = await post(`/v1/pki/issue/${role}`, { common_name: `${mark}.example.com` })
    await made('PATCH', `/v1/pki/certificates/${leaf.id}`, { tags: [mark], description: `${mark} description` })
    return { id: leaf.id, serial: leaf.serial_number }
  }
  const { id: certificate, serial } = await newLeaf()

  const newCsr = async (): Promise<string> =>
    (await post('/v1/pki/csr', { subject: { common_name: `${mark}.example.com` } })).id
  const { csr_pem: csrPem } = await post('/v1/pki/csr', { subject: { common_name: 'www.example.com' } })

  const fromElsewhere = async () => {
    const nowMs = Math.floor(around.nowMs() / 1_000) * 1_000
    const times = { notBeforeMs: nowMs - 60_000, notAfterMs: nowMs + 300 * 86_400_000 }
    const subjectDer = nameDer({ commonName: `elsewhere ${freshName()}` })
    const root = await testRoot({ type: 'ec', size: 256 }, { ...times, subjectDer })
    const leaf = await testLeaf(root, { type: 'ec', size: 256 }, { ...times, notAfterMs: nowMs + 86_400_000 })
    return {
      caPem: formatPem('CERTIFICATE', root.certificate.der),
      caKeyPem: await exportPrivateKeyPem(root.keyPair.privateKey, 'pkcs8'),
      leafPem: formatPem('CERTIFICATE', leaf.certificate.der),
    }
  }
  const newImportedCa = async () => {
    const { caPem: certificate_pem, caKeyPem: private_key_pem, leafPem } = await fromElsewhere()
    const { id } = await post('/v1/pki/ca/import', { name: freshName(), certificate_pem, private_key_pem })
    return { ca: id as string, leafPem }
  }
  const newAnchor = async (): Promise<string> => {
    const { caPem: certificate_pem } = await fromElsewhere()
    return (await post('/v1/pki/trust-anchors', { name: freshName(), certificate_pem })).id
  }

  const newAccount = async (): Promise<string> => {
    const email = `${mark}@example.com`
    const body = { name: freshName(), provider: 'custom', directory_url: around.directoryUrl, email }
    return (await post('/v1/pki/acme/accounts', body)).id
  }
  const account = await newAccount()
  const newOrder = async (): Promise<string> => {
    const order = { challenge_type: 'tls-alpn-01', solver: 'manual', domains: [`${freshName()}.${mark}.acme.example`] }
    return (await post('/v1/pki/acme/issue', { ...order, account_id: account })).order_id
  }
  const order = await newOrder()

  const newSecret = async (): Promise<string> => {
    const path = `infra/${freshName()}`
    await made('PUT', `/v1/secrets/${path}`, { data: { api_token: `${mark}-secret` } })
    return path
  }
  const secret = await newSecret()
  const newProvider = async (): Promise<string> => {
    const body = { name: freshName(), ...around.provider({ mark, secret }) }
    return (await post('/v1/pki/dns-providers', body)).id
  }
  const provider = await newProvider()
  const newZone = async (): Promise<string> =>
    (await post('/v1/zones', { name: around.zoneName(tenantId), dns_provider_id: provider })).id
  const newVerifiedZone = async () => {
    const id = await newZone()
    await around.verified({ token, tenantId }, id)
    const { name } = await made('GET', `/v1/zones/${id}`, undefined)
    return { id, name: name as string }
  }
  const newAcmeCertificate = (): Promise<string> => around.acmeCertificate({ token, tenantId, mark, account })
  const newSubscription = async (): Promise<string> => {
    const delivery = { type: 'webhook', url: `${around.hookUrl}/${mark}` }
    const body = { name: freshName(), paths: ['pki/certificates/cert_*'], events: ['*'], delivery }
    return (await post('/v1/subscriptions', body)).id
  }
  const subscription = await newSubscription()
  const newToken = async (): Promise<string> =>
    (await post('/v1/tokens', { name: `${mark} token`, scopes: ['pki:read'] })).id

  const newIssuer = async (): Promise<string> => {
    const name = freshName()
    const mappings = [{ match: { sub: mark }, scopes: ['tokens:admin'] }]
    const body = { name, issuer: `https://${name}.example.com`, audiences: [mark], mappings }
    return (await post('/v1/sign-in/issuers', body)).id
  }

  return {
    tenantId,
    mark,
    token,
    ca,
    partitionedCa,
    role,
    certificate,
    serial,
    csr: await newCsr(),
    csrPem,
    anchor: await newAnchor(),
    account,
    order,
    challenge: await around.challengeOf({ token, tenantId }, order),
    acmeCertificate: await newAcmeCertificate(),
    httpToken: await around.httpToken(tenantId),
    provider,
    zone: await newZone(),
    subscription,
    delivery: await around.deliveryOf({ token, tenantId }, subscription),
    hookUrl: around.hookUrl,
    verifiedZone: await newVerifiedZone(),
    secret,
    storedToken: await newToken(),
    issuer: await newIssuer(),
    directoryUrl: around.directoryUrl,
    zoneName: () => around.zoneName(tenantId),
    freshName,
    newCa,
    newRole,
    newCertificate: newLeaf,
    newCsr,
    async approvedCsr() {
      const id = await newCsr()
      await post(`/v1/pki/csr/${id}/approve`)
      return id
    },
    async heldCertificate() {
      const { id } = await newLeaf()
      await post('/v1/pki/revoke', { certificate_id: id, reason: 'certificate_hold' })
      return id
    },
    newAnchor,
    newAccount,
    newOrder,
    async newChallenge() {
      return around.challengeOf({ token, tenantId }, await newOrder())
    },
    newProvider,
    newZone,
    newSubscription,
    newAcmeCertificate,
    newSecret,
    newToken,
    newIssuer,
    newTenant: around.newTenant,
    fromElsewhere,
    newImportedCa,
  }
}
