// What a site wants of PAM, and what a joined host remembers of it. Pure.

/** What the user asked for. Absent means: as before, or the default. */
export interface PamWish {
  /** 'insist': a host where it cannot be had is refused. 'none': PAM is left alone. */
  readonly choice?: 'insist' | 'none';
  /** A hook that fails keeps the login out. */
  readonly required?: boolean;
  /** A file that is shown to whoever logs in. */
  readonly motd?: string;
  /** Rules of the auth type for Teleport's own SSH service (use_pam_auth). */
  readonly auth?: boolean;
}

/** Kept in the ownership record; plain data. */
export type PamSettings = {
  /** 'service': sshd asks for ours, which includes its own. 'add-on': its own includes ours. */
  readonly shape: 'service' | 'add-on';
  /** The service that sshd asked for before. */
  readonly base: string;
  readonly required: boolean;
  readonly motd?: string;
  readonly auth: boolean;
};

/** 'none': it was said that PAM is to be left alone; undefined on hosts that joined when nothing was said of it. */
export type StoredPam = PamSettings | 'none' | undefined;

export type PamPlan = Omit<PamSettings, 'shape' | 'base'> & {readonly insist: boolean};

/**
 * Undefined: PAM is left alone. A host that has joined without keeps it so until it is asked for; a first join has it
 * where it can be had.
 */
export function planOf(wish: PamWish, stored: StoredPam, first: boolean): PamPlan | undefined {
  const asked =
    wish.choice === 'insist' || [wish.required, wish.motd, wish.auth].some((one) => one !== undefined);
  const before = typeof stored === 'object' ? stored : undefined;
  if (wish.choice === 'none' || (!asked && before === undefined && !first)) return undefined;
  const motd = wish.motd ?? before?.motd;
  return {
    insist: asked,
    required: wish.required ?? before?.required ?? false,
    auth: wish.auth ?? before?.auth ?? false,
    ...(motd !== undefined && motd !== '' && {motd}),
  };
}
