import { routes } from "./api/index.ts";
import { createGateway } from "./gateway/index.ts";

export { Api } from "./api/index.ts";

export default createGateway(routes);
