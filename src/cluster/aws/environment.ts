/** Environment variables by name; only those that AWS documents for its own tools are looked at. */
export type AwsEnvironment = Readonly<Record<string, string | undefined>>;
