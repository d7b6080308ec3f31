/** Makes plays: a name is of one play of a project. */
import { json, Problem } from "../api/http";

const MOST_NAMES = 1000; // plays of one name, told apart by a number

/** Makes a play; where its name is taken, a number follows it. */
export async function createNamed<Body, Made extends { name: string }>(project: string, name: string, body: Body): Promise<Made> {
  const at = `/api/play?project=${encodeURIComponent(project)}`;
  const taken = new Set((await json<{ name: string }[]>(at)).map((each) => each.name));
  for (let number = 1; ; number++) {
    const free = number === 1 ? name.slice(0, 190) : `${name.slice(0, 190)} ${number}`;
    if (taken.has(free)) continue;
    try {
      return await json<Made>(at, { body: { name: free, body } });
    } catch (error) {
      // Somebody took it meanwhile.
      if (!(error instanceof Problem && error.status === 409) || number >= MOST_NAMES) throw error;
    }
  }
}
