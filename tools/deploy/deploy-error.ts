/** Why a deployment stopped, in words for the one who deploys; it is printed without a stack. Holds no secret. */
export class DeployError extends Error {
  override readonly name = 'DeployError'
}
