/** Asks only a person at a terminal; everybody else has --yes. */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
  const prompts = await import('@inquirer/prompts');
  return prompts.confirm({message: question, default: false}, {output: process.stderr});
}
