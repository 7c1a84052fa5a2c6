import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TokenConfig } from '@tideline/shared/door-settings';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';

export interface TokenChanges {
  issuer?: string;
  audience?: string;
  expiresInS?: number;
}

/** Issues the tokens that a platform is set to take, and such as nobody may take. */
export class TokenIssuer {
  readonly config: TokenConfig;
  readonly #file: string;
  readonly #keys: { publicKey: CryptoKey; privateKey: CryptoKey };

  private constructor(file: string, keys: { publicKey: CryptoKey; privateKey: CryptoKey }) {
    this.#file = file;
    this.#keys = keys;
    this.config = { issuer: 'https://login.example', audience: 'tideline', keys: { jwks: file } };
  }

  static async create(): Promise<TokenIssuer> {
    const keys = await generateKeyPair('RS256', { extractable: true });
    const file = join(tmpdir(), `tideline-keys-${randomUUID()}.json`);
    writeFileSync(file, JSON.stringify({ keys: [{ ...(await exportJWK(keys.publicKey)), alg: 'RS256' }] }));
    return new TokenIssuer(file, keys);
  }

  async valid(userId: string, changes: TokenChanges = {}): Promise<string> {
    return this.#unsigned(userId, changes).setProtectedHeader({ alg: 'RS256' }).sign(this.#keys.privateKey);
  }

  /** As if the public key, which everybody may have, were a secret. */
  async signedWithPublicKey(userId: string): Promise<string> {
    const secret = new TextEncoder().encode(await exportSPKI(this.#keys.publicKey));
    return this.#unsigned(userId, {}).setProtectedHeader({ alg: 'HS256' }).sign(secret);
  }

  async signedBySomebodyElse(userId: string): Promise<string> {
    const { privateKey } = await generateKeyPair('RS256');
    return this.#unsigned(userId, {}).setProtectedHeader({ alg: 'RS256' }).sign(privateKey);
  }

  /** `alg: none`. */
  async unsigned(userId: string): Promise<string> {
    const [, claims] = (await this.valid(userId)).split('.');
    return `${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims}.`;
  }

  close(): void {
    rmSync(this.#file, { force: true });
  }

  #unsigned(userId: string, { issuer, audience, expiresInS = 600 }: TokenChanges): SignJWT {
    return new SignJWT()
      .setSubject(userId)
      .setIssuer(issuer ?? this.config.issuer)
      .setAudience(audience ?? this.config.audience)
      .setExpirationTime(Math.floor(Date.now() / 1000) + expiresInS);
  }
}
